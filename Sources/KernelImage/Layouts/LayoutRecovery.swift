/// Recovers the layouts of structures that tables of the image are made of, where it has no BTF.
///
/// Every form that a kernel has used is tried on the table itself. One is taken only if most entries
/// make sense with it (a damaged table has wrong ones: that is for others to report), and at most
/// half as large a part with a form of another size (one of half the size fits at every other one).
struct LayoutRecovery: Sendable {
  let tables: ImageTables

  /// A form that a structure may have.
  private struct Form {
    var size: Int
    var fields: [String: Int]
    /// Whether the entry that begins at an address makes sense.
    var fits: (_ entry: UInt64) -> Bool
  }

  /// Layouts by the structure's name; what could not be verified is not there.
  func layouts() -> [String: StructLayouts.Layout] {
    var layouts: [String: StructLayouts.Layout] = [:]
    layouts["alt_instr"] = choose(
      alternativeForms(),
      tables.range(
        from: "__alt_instructions", to: "__alt_instructions_end", orSection: ".altinstructions"))
    layouts["bug_entry"] = choose(
      bugForms(),
      tables.range(
        from: "__start___bug_table", to: "__stop___bug_table", orSection: "__bug_table"))
    layouts["exception_table_entry"] = choose(
      exceptionForms(),
      tables.range(from: "__start___ex_table", to: "__stop___ex_table", orSection: "__ex_table"))
    layouts["obs_kernel_param"] = choose(
      [parameterForm()], tables.range(from: "__setup_start", to: "__setup_end", orSection: nil))
    return layouts
  }

  private func choose(_ forms: [Form], _ range: Range<UInt64>?) -> StructLayouts.Layout? {
    guard let range, !range.isEmpty,
      let length = Int(exactly: range.upperBound - range.lowerBound),
      tables.space.bytes(at: range.lowerBound, count: length) != nil
    else { return nil }
    let shares = forms.map { form -> (form: Form, fitting: Int, count: Int) in
      let count = length / form.size
      guard length % form.size == 0 else { return (form, 0, count) }
      let fitting = (0..<count).filter { form.fits(range.lowerBound + UInt64($0 * form.size)) }
      return (form, fitting.count, count)
    }
    let candidates = shares.filter { $0.fitting * 2 > $0.count }
    guard let best = candidates.first,
      shares.allSatisfy({
        $0.form.size == best.form.size || $0.fitting == 0
          || $0.fitting * best.count * 2 <= best.fitting * $0.count
      })
    else { return nil }
    return StructLayouts.Layout(
      size: best.form.size, fields: best.form.fields, source: .recovered,
      basis: "\(best.fitting) of \(best.count) entries make sense")
  }

  /// The target of a 32-bit reference that is relative to its own place.
  private func target(at place: UInt64) -> UInt64? {
    tables.space.read(Int32.self, at: place).map { place &+ UInt64(bitPattern: Int64($0)) }
  }

  /// `struct alt_instr` (arch/x86/include/asm/alternative.h): 12 bytes; 13 with the length of the
  /// padding, up to 5.x; 14 with flags beside the feature, from 6.3 on.
  private func alternativeForms() -> [Form] {
    [
      (14, ["ft_flags": 8, "cpuid": 8, "flags": 10, "instrlen": 12, "replacementlen": 13]),
      (13, ["cpuid": 8, "instrlen": 10, "replacementlen": 11, "padlen": 12]),
      (12, ["cpuid": 8, "instrlen": 10, "replacementlen": 11]),
    ].map { (size: Int, fields: [String: Int]) in
      let lengths = UInt64(fields["instrlen"] ?? 0)
      return Form(
        size: size,
        fields: fields.merging(["instr_offset": 0, "repl_offset": 4]) { first, _ in first }
      ) { entry in
        guard let site = target(at: entry), let replacement = target(at: entry + 4),
          let siteLength = tables.space.read(UInt8.self, at: entry + lengths),
          let newLength = tables.space.read(UInt8.self, at: entry + lengths + 1)
        else { return false }
        return siteLength > 0 && newLength <= siteLength && tables.isCode(site)
          && (newLength == 0 || tables.isCode(replacement))
      }
    }
  }

  /// `struct bug_entry` (include/asm-generic/bug.h): with the format of a message, with file and
  /// line, or bare. An entry leads to `ud2` (0F 0B) or `ud1` (0F B9); in newer kernels some lead to
  /// where a WARN's arguments are loaded.
  private func bugForms() -> [Form] {
    [
      (16, ["format_disp": 4, "file_disp": 8, "line": 12, "flags": 14]),
      (12, ["file_disp": 4, "line": 8, "flags": 10]),
      (8, ["flags": 4]),
    ].map { (size: Int, fields: [String: Int]) in
      Form(size: size, fields: fields.merging(["bug_addr_disp": 0]) { first, _ in first }) {
        guard let address = target(at: $0), tables.isCode(address),
          let code = tables.space.bytes(at: address, count: 4)
        else { return false }
        let start = code[0] == 0x67 && code[1] == 0x48 ? 2 : 0
        return code[start] == 0x0F && [0x0B, 0xB9].contains(code[start + 1])
      }
    }
  }

  /// `struct exception_table_entry` (arch/x86/include/asm/extable.h): the third word was a handler's
  /// place before it became a type with data.
  private func exceptionForms() -> [Form] {
    let leads = { (entry: UInt64) in
      [entry, entry + 4].allSatisfy { target(at: $0).map(tables.isCode) ?? false }
    }
    return [
      Form(size: 12, fields: ["insn": 0, "fixup": 4, "handler": 8]) { entry in
        leads(entry) && target(at: entry + 8).map(tables.isCode) ?? false
      },
      Form(size: 12, fields: ["insn": 0, "fixup": 4, "data": 8], fits: leads),
    ]
  }

  /// `struct obs_kernel_param` (include/linux/init.h).
  private func parameterForm() -> Form {
    Form(size: 24, fields: ["str": 0, "setup_func": 8, "early": 16]) { entry in
      guard let name = tables.space.read(UInt64.self, at: entry),
        let function = tables.space.read(UInt64.self, at: entry + 8),
        let early = tables.space.read(UInt32.self, at: entry + 16),
        let text = tables.space.text(at: name, limit: 256)
      else { return false }
      return early <= 1 && !text.isEmpty && tables.isCode(function)
    }
  }
}
