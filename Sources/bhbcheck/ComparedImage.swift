import Foundation
import Inspection
import KernelImage
import Mitigation
import Reports

/// One image that is held against another: inspected now, or in a report written before.
struct ComparedImage {
  /// The argument as typed.
  var path: String
  /// What the image is from.
  var report: Report
  /// The image; with its error if there is not exactly one.
  var image: ImageReport

  /// Reads the image or the report at `path`.
  ///
  /// - Parameter head: a report without images, for what `inspector` finds.
  init(_ path: String, by inspector: Inspector, head: Report) {
    self.path = path
    if Self.isReport(path) {
      report = Self.read(path, head: head)
    } else {
      report = head
      report.images = Self.artefacts(path).map(inspector.report)
    }
    image = Self.single(report.images, of: path)
  }

  /// The image that was given by `input`.
  init(_ input: ImageInput, by inspector: Inspector, head: Report) {
    report = head
    report.images = input.artefacts().map(inspector.report)
    path = input.images.first ?? report.images.first?.path ?? ""
    image = Self.single(report.images, of: path)
  }

  /// Makes the image one that could not be used.
  mutating func fail(_ message: String) {
    image = ImageReport(path: path)
    image.error = ImageFailure(code: .unsupportedFormat, message: message)
  }

  private static func single(_ images: [ImageReport], of path: String) -> ImageReport {
    if images.count == 1 { return images[0] }
    var image = ImageReport(path: path)
    let names = images.isEmpty ? "" : ": " + images.map(\.path).joined(separator: ", ")
    image.error = ImageFailure(
      code: images.isEmpty ? .noKernel : .unsupportedFormat,
      message: "expected one image, found \(images.count)\(names)")
    return image
  }

  /// A report of ours is a JSON object, and no kernel begins like one.
  private static func isReport(_ path: String) -> Bool {
    guard let handle = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? handle.close() }
    let start = (try? handle.read(upToCount: 64)) ?? Data()
    return start.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "{")
  }

  private static func read(_ path: String, head: Report) -> Report {
    var failed = ImageReport(path: path)
    do {
      let member = try Artefact.openText(path: path)
      let report = try JSONReport.parse(member.contents.bytes.raw)
      try member.contents.bytes.requireUnchanged()
      return report
    } catch let error as ImageError {
      failed.error = ImageFailure(error)
    } catch {
      failed.error = ImageFailure(code: .malformed, message: "\(error)")
    }
    var report = head
    report.images = [failed]
    return report
  }

  private static func artefacts(_ path: String) -> [Artefact] {
    do throws(ImageError) {
      return try Artefact.open(path: path)
    } catch {
      return [Artefact(path: path, failure: error)]
    }
  }
}
