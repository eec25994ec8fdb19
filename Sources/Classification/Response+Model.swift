import HTTPServer
import HTTPTypes

extension Response {
    /// Says in `X-Model` and `X-Model-Version` what made the answer.
    mutating func tell(madeBy model: ClassifierModel) { for field in model.fields { fields.append(field) } }
}

extension ClassifierModel {
    /// The fields by which answers name a model.
    static func fields(name: String, version: Int) -> [HTTPField] {
        [
            HTTPField(name: HTTPField.Name("X-Model")!, value: name),
            HTTPField(name: HTTPField.Name("X-Model-Version")!, value: String(version)),
        ]
    }
}
