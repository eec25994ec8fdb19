import HTTPServer
import Logging
import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The service's certificate and its clients' keys, which can be read again while it runs.
final class Credentials: Sendable {
    /// Nil where plain HTTP is spoken.
    let tls: TLSCredentials?
    /// Nil where no keys are asked for.
    let keys: KeyRing?
    private let configuration: TLSConfiguration?
    private let keysPath: String
    private let logger: Logger

    /// - Throws: `ServiceStartError.conflictingSettings`, `TLSError`, `APIKeysError`.
    init(_ settings: Settings, logger: Logger) throws {
        self.logger = logger
        configuration = try settings.tlsConfiguration()
        keysPath = settings.apiKeysFile
        tls = try configuration.map { TLSCredentials(try TLSContext($0)) }
        keys = keysPath.isEmpty ? nil : KeyRing(try APIKeys(path: keysPath))
        if let tls { warnOfValidity(tls.current) }
    }

    /// Reads all files again. What is broken leaves the old in force, and is logged.
    func reload() {
        if let configuration, let tls {
            do throws(TLSError) {
                let context = try TLSContext(configuration)
                tls.replace(with: context)
                logger.info("certificate reloaded", metadata: ["file": "\(configuration.certificatePath)"])
                warnOfValidity(context)
            } catch {
                logger.error("certificate not reloaded, the old one stays in force", metadata: ["error": "\(error)"])
            }
        }
        if let keys {
            do throws(APIKeysError) {
                let replacement = try APIKeys(path: keysPath)
                keys.replace(with: replacement)
                logger.info("keys reloaded", metadata: ["count": .stringConvertible(replacement.entries.count)])
            } catch { logger.error("keys not reloaded, the old ones stay in force", metadata: ["error": "\(error)"]) }
        }
    }

    /// An expired certificate is served all the same: some clients do not look, and the rest learn why.
    private func warnOfValidity(_ context: TLSContext) {
        let now = time(nil)
        let path = configuration?.certificatePath ?? ""
        func days(_ seconds: Int) -> Int { seconds / 86_400 }
        if context.validUntil <= now {
            logger.warning(
                "the certificate expired \(days(now - context.validUntil)) days ago", metadata: ["file": "\(path)"])
        } else if context.validFrom > now {
            logger.warning(
                "the certificate is not valid for another \(days(context.validFrom - now)) days",
                metadata: ["file": "\(path)"])
        } else if context.validUntil - now < 14 * 86_400 {
            logger.warning(
                "the certificate expires in \(days(context.validUntil - now)) days", metadata: ["file": "\(path)"])
        }
    }
}
