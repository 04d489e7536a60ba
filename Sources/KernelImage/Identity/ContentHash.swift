internal import CCrypto

/// What content is known by.
public enum ContentHash {
  /// SHA-256 (FIPS 180-4) in 64 lower-case hex digits.
  ///
  /// - Throws: if libcrypto refuses, which it does without memory.
  public static func sha256(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 0
    let isDone = EVP_Digest(bytes.baseAddress, bytes.count, &digest, &count, EVP_sha256(), nil)
    guard isDone == 1, count == 32 else {
      throw ImageError(.failedLibrary, "libcrypto computes no SHA-256")
    }
    return digest.map { byte in
      let digits = String(byte, radix: 16)
      return byte < 16 ? "0" + digits : digits
    }.joined()
  }
}
