/// One self-contained page: styles, scripts and data inside, nothing loaded from anywhere.
///
/// The scripts make elements from the data and set their text; nowhere is a text of a kernel parsed
/// as HTML. The page's own policy forbids everything that is not in the page.
enum HTMLPage {
  /// - Parameters:
  ///   - title: shown by the window and read out first.
  ///   - data: a document of `SharedJSON`.
  ///   - scripts: what shows the data, after what all pages share.
  static func render(title: String, data: String, scripts: [[UInt8]]) -> String {
    let code = ([PackageResources.elements_js, PackageResources.matrix_js] + scripts)
      .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
      style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
      form-action 'none'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="referrer" content="no-referrer">
      <link rel="icon" href="data:,">
      <title>\(markup(title))</title>
      <style>
      \(String(decoding: PackageResources.page_css, as: UTF8.self))</style>
      </head>
      <body>
      <noscript><p class="empty">This page shows its data by scripts of its own, which are switched \
      off here; <code>--format text</code> says the same.</p></noscript>
      <script type="application/json" id="data">\(data)</script>
      <script>
      "use strict";
      \(code)</script>
      </body>
      </html>

      """
  }
}
