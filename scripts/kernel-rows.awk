# Reads vmlinux-samples/distributions.json and prints a line "SUITE PACKAGE" for every kernel it
# names, in its order.
#
# JSON is read by its tokens, not by its lines, so that reformatting the file changes nothing here;
# awk, because a machine that builds this need not have anything better.

{ text = text $0 " " }

END {
  while (match(text, /"([^"\\]|\\.)*"|[][{}:,]/)) {
    token = substr(text, RSTART, RLENGTH)
    text = substr(text, RSTART + RLENGTH)
    if (token == "{" || token == "[") {
      key[++depth] = ""
    } else if (token == "}" || token == "]") {
      if (token == "}" && depth == 3 && key[1] == "kernels") print_kernel()
      depth--
    } else if (token == ":") {
      key[depth] = last
      value_seen = 1
    } else if (token == ",") {
      value_seen = 0
    } else {
      last = substr(token, 2, length(token) - 2)
      if (key[1] == "kernels" && depth == 3 && value_seen) field[key[3]] = last
    }
  }
  if (!count) {
    print "kernel-rows: no kernels in " FILENAME > "/dev/stderr"
    exit 1
  }
}

function print_kernel() {
  if (("suite" in field) && ("package" in field)) {
    print field["suite"], field["package"]
    count++
  }
  delete field
}
