# Rewrites the system's apt sources (both formats) as deb822 stanzas that hold only what a kernel
# package needs: binary packages of "main" from the distribution's own archive.
#
#   awk -v codename=bookworm [-v suite=trixie-backports] [-v type=deb-src] -f archive-sources.awk FILE…
#
# Without `suite`: the machine's own suites, each entry as it is. With one: the first entry whose
# archive should hold that suite (the security archive for NAME-security), its suite replaced.
# The address and the keys (Signed-By, also an embedded one) are kept as they are.

BEGIN {
  alias = "^(stable|oldstable|oldoldstable|testing|unstable|sid)"
}

FNR == 1 { flush_stanza(); deb822 = (FILENAME ~ /\.sources$/) }

!deb822 {
  sub(/#.*/, "")
  if ($1 == "deb") one_line($0)
  next
}

/^#/ { next }
/^[ \t]*$/ { flush_stanza(); next }
/^[ \t]/ { if (key == "signed-by") field[key] = field[key] "\n" $0; else field[key] = field[key] " " $0; next }
{
  colon = index($0, ":")
  if (!colon) next
  key = tolower(substr($0, 1, colon - 1))
  value = substr($0, colon + 1)
  sub(/^[ \t]+/, "", value)
  field[key] = value
  stanza = 1
}

END { flush_stanza() }

# deb [ option=value … ] URI SUITE COMPONENT…
function one_line(line, options, parts, n, i, equals, name) {
  split("", field)
  sub(/^[ \t]*deb[ \t]+/, "", line)
  if (line ~ /^\[/) {
    options = substr(line, 2, index(line, "]") - 2)
    line = substr(line, index(line, "]") + 1)
    n = split(options, parts, /[ \t]+/)
    for (i = 1; i <= n; i++) {
      equals = index(parts[i], "=")
      if (!equals) continue
      name = substr(parts[i], 1, equals - 1)
      field[name] = substr(parts[i], equals + 1)
    }
  }
  sub(/^[ \t]+/, "", line)
  n = split(line, parts, /[ \t]+/)
  if (n < 3) return
  field["uris"] = parts[1]
  field["suites"] = parts[2]
  for (i = 3; i <= n; i++) field["components"] = field["components"] " " parts[i]
  field["types"] = "deb"
  stanza = 1
  flush_stanza()
}

function flush_stanza(names, n, i, kept) {
  if (stanza && tolower(field["enabled"]) != "no" && (" " field["types"] " ") ~ / deb / \
      && (" " field["components"] " ") ~ /[ \t]main[ \t]/) {
    n = split(field["suites"], names, /[ \t]+/)
    for (i = 1; i <= n; i++)
      if (is_own(names[i])) {
        if (suite == "") kept = kept " " names[i]
        else if (!found && is_security(names[i]) == is_security(suite) && is_base(names[i])) {
          kept = " " suite
          found = 1
        }
      }
    if (kept != "") print_stanza(kept)
  }
  split("", field)
  key = ""
  stanza = 0
}

function is_own(name) {
  return name ~ alias || name == codename || index(name, codename "-") == 1 || index(name, codename "/") == 1
}

function is_security(name) {
  return name ~ /[-\/](security|updates\/security)$/ || name ~ /\/updates$/
}

# A suite of the archive itself, not of updates or backports, which some mirrors keep elsewhere.
function is_base(name) {
  return is_security(name) || name !~ /[-\/]/
}

function print_stanza(suites) {
  print "Types: " (type != "" ? type : "deb")
  print "URIs: " field["uris"]
  print "Suites:" suites
  print "Components: main"
  if (field["signed-by"] != "") print "Signed-By: " field["signed-by"]
  if (field["trusted"] != "") print "Trusted: " field["trusted"]
  if (field["check-valid-until"] != "") print "Check-Valid-Until: " field["check-valid-until"]
  print ""
}
