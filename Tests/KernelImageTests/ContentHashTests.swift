import KernelImage
import Testing

@Suite("Hash of content") struct ContentHashTests {
  /// The examples of FIPS 180-4, by NIST's table of them.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  ])
  func isSHA256(_ text: String, _ digest: String) throws {
    #expect(try Array(text.utf8).withUnsafeBytes { try ContentHash.sha256($0) } == digest)
  }
}
