# Reads vmlinux-samples/distributions.json and prints a line "SUITE PACKAGE" for every kernel it
# names: each flavour of each suite, its image before its build with debug information.
#
# JSON is read by its tokens, not by its lines, so that reformatting the file changes nothing here;
# awk, because a machine that builds this need not have anything better.

{ text = text $0 " " }

END {
  while (match(text, /"[^"]*"|[][{}:,]/)) {
    token = substr(text, RSTART, RLENGTH)
    text = substr(text, RSTART + RLENGTH)
    if (token == "{" || token == "[") {
      key[++depth] = ""
    } else if (token == "}" || token == "]") {
      if (token == "}" && depth == 3 && key[1] == "suites") print_suite()
      depth--
    } else if (token == ":") {
      key[depth] = last
      value_seen = 1
    } else if (token == ",") {
      value_seen = 0
    } else {
      last = substr(token, 2, length(token) - 2)
      if (key[1] == "metapackages" && depth == 3 && value_seen) package[key[2], key[3]] = last
      if (key[1] == "suites" && depth == 3 && key[3] == "suite" && value_seen) suite = last
      if (key[1] == "suites" && depth == 4 && key[3] == "flavours") flavours[++count] = last
    }
  }
}

function print_suite(i) {
  for (i = 1; i <= count; i++) {
    if ((flavours[i], "image") in package) print suite, package[flavours[i], "image"]
    if ((flavours[i], "debug") in package) print suite, package[flavours[i], "debug"]
  }
  suite = ""
  count = 0
}
