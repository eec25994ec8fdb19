import HTTPServer
import HTTPTypes

extension Response {
    /// The same answer, which says in `X-Model` and `X-Model-Version` what made it.
    func made(by model: ClassifierModel) -> Response {
        var response = self
        for field in model.fields { response.fields.append(field) }
        return response
    }
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
