// The corpus unit-postfix: entities of MIME, host names, tokens of the envelope, long lists.
#include <map>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "corpora_test.hpp"
#include "message/address.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/transfer.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;

fs::path corpus() { return root() / "unit-postfix"; }

std::string name_of_field(std::string_view line) {
  return ascii::lower(ascii::trimmed(line.substr(0, line.find_first_of(": "))));
}

// The headers as Postfix met them: "MAIN(subject) MULT(content-type) NEST(from to)"; bodies stand between.
std::string wanted_headers(const std::string& ref) {
  std::string out;
  bool open = false;
  for (std::size_t at = 0; at < ref.size();) {
    const std::size_t end = std::min(ref.find('\n', at), ref.size());
    const std::string_view line = std::string_view(ref).substr(at, end - at);
    at = end + 1;
    const bool header = line.starts_with("MAIN ") || line.starts_with("MULT ") || line.starts_with("NEST ");
    if (header) {
      if (!open) out.append(out.empty() ? "" : " ").append(line.substr(0, 4)).append("(");
      if (!out.ends_with('(')) out += ' ';
      out += name_of_field(line.substr(line.find('|') + 1));
      open = true;
    } else if (line.starts_with("BODY ") || line.starts_with("HEADER END")) {
      if (open) out += ')';
      open = false;
    }
  }
  return open ? out + ")" : out;
}

// A part without any field is none of these.
std::string found_headers(const std::string& content) {
  std::string out;
  const auto tree = parse_mime(content);
  for (const Part& part : tree.parts) {
    const bool root = part.parent == Part::none;
    const bool nested = !root && tree.parts[part.parent].kind == Part::Kind::message;
    std::string fields;
    FieldScanner scanner(Bytes(content).substr(part.header, part.header_length));
    for (Field field; scanner.next(field);) {
      if (!field.name.empty()) fields.append(fields.empty() ? "" : " ").append(ascii::lower(field.name));
    }
    if (fields.empty()) continue;
    out.append(out.empty() ? "" : " ").append(root ? "MAIN" : nested ? "NEST" : "MULT");
    out.append("(").append(fields).append(")");
  }
  return out;
}

TEST_RFC("2046 §5.1", "headers of parts in the corpus unit-postfix") {
  if (!present(corpus())) return;
  Suite suite("unit-postfix/mime");
  for (const auto& path : files_below(corpus() / "global")) {
    fs::path ref = path;
    ref.replace_extension(".ref");
    if (!path.filename().string().starts_with("mime_") || path.extension() != ".in" || !fs::exists(ref)) continue;
    suite.add(path.stem().string(), found_headers(read_file(path)), wanted_headers(read_file(ref)));
  }
  suite.report();
}

TEST_RFC("2045 §6.7", "quoted-printable of the corpus unit-postfix is read back") {
  if (!present(corpus())) return;
  const std::string in = read_file(corpus() / "global/mime_cvt.in");
  const std::string ref = read_file(corpus() / "global/mime_cvt.ref");
  std::string encoded;
  for (std::size_t at = ref.find("BODY N 1\t|"); (at = ref.find("\t|", at)) != std::string::npos;) {
    const std::size_t end = ref.find('\n', at);
    encoded.append(ref, at + 2, end - at - 1);
    at = ref.find("BODY N", end);
    if (at == std::string::npos) break;
  }
  const std::string body = in.substr(in.find("\n\n") + 2);
  Suite suite("unit-postfix/mime_cvt");
  std::size_t number = 0;
  const std::string decoded = decode_quoted_printable(encoded);
  for (std::size_t a = 0, b = 0; a < body.size(); ++number) {
    const std::size_t a_end = std::min(body.find('\n', a), body.size());
    const std::size_t b_end = std::min(decoded.find('\n', b), decoded.size());
    suite.add(std::to_string(number), decoded.substr(b, b_end - b), body.substr(a, a_end - a));
    a = a_end + 1;
    b = std::min(b_end + 1, decoded.size());
  }
  suite.report();
}

// Name -> what was said of it, by the two judges of the suite.
struct Judged {
  bool host = true;
  bool address = true;
};

TEST_RFC("5321 §2.3.5", "host names and addresses of the corpus unit-postfix") {
  if (!present(corpus())) return;
  Suite names("unit-postfix/valid_hostname, names");
  Suite addresses("unit-postfix/valid_hostname, addresses");
  std::ifstream in(corpus() / "util/valid_hostname.ref");
  std::map<std::string, Judged> judged;
  std::string name;
  for (std::string line; std::getline(in, line);) {
    if (const std::size_t at = line.find("testing: \""); at != std::string::npos) {
      name = line.substr(at + 10, line.rfind('"') - at - 10);
      judged[name];
    } else if (line.find("warning: valid_hostname:") != std::string::npos) {
      judged[name].host = false;
    } else if (line.find("warning: valid_") != std::string::npos) {
      judged[name].address = false;
    }
  }
  for (const auto& [text, wanted] : judged) {
    const std::string id = text.empty() ? "(empty)" : text;
    const auto domain = Domain::parse(text);
    names.add(id, domain.has_value() == wanted.host, domain ? "a name" : "none", wanted.host ? "a name" : "none");
    const bool ip = IpAddress::parse(text).has_value();
    addresses.add(id, ip == wanted.address, ip ? "an address" : "none", wanted.address ? "an address" : "none");
  }
  names.report();
  addresses.report();
}

// Postfix only cuts commands into words; RFC 5321 says which of them are paths.
TEST_RFC("5321 §4.1.2", "paths of the corpus unit-postfix are taken as a whole") {
  if (!present(corpus())) return;
  Suite suite("unit-postfix/smtpd_token");
  const std::string ref = read_file(corpus() / "smtpd/smtpd_token.ref");
  int number = 0;
  for (std::size_t at = 0; (at = ref.find("mail ", at)) != std::string::npos; ++at) {
    if (at > 0 && ref[at - 1] != '\n') continue;
    ++number;
    const std::size_t end = ref.find('\n', at);
    const std::string line = ref.substr(at, end - at);
    std::string token;
    const std::size_t block = std::min(ref.find("\nmail ", end), ref.size());
    if (const std::size_t value = ref.rfind("Token value: ", block); value != std::string::npos && value > end) {
      token = ref.substr(value + 13, ref.find('\n', value) - value - 13);
    }
    const std::string argument = line.substr(line.find(':') + 1);
    const auto path = parse_path(argument, true);
    suite.add(std::to_string(number), path ? argument.substr(0, path->length) : "refused", token);
  }
  suite.report();
}

TEST_RFC("5322 §3.4", "a list in the corpus unit-postfix that is longer than its limit") {
  if (!present(corpus())) return;
  Suite suite("unit-postfix/tok822_limit");
  std::ifstream in(corpus() / "global/tok822_limit.in");
  const std::string ref = read_file(corpus() / "global/tok822_limit.ref");
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::size_t start = ref.find("Internalized:\n");
    const std::string wanted = ref.substr(start + 14, ref.find("\n\n", start) - start - 14);
    std::string got;
    for (const auto& entry : parse_address_list(line)) got.append(got.empty() ? "" : ", ").append(entry.local);
    suite.add(std::to_string(++number), got, wanted);
  }
  suite.report();
}

TEST_RFC("5321 §2.4", "letters of addresses are made small for look-ups, in the corpus unit-postfix") {
  if (!present(corpus())) return;
  Suite suite("unit-postfix/fold_addr_test");
  std::ifstream in(corpus() / "global/fold_addr_test.ref");
  bool all = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("> ")) all = line.starts_with("> all ");
    if (!all || !line.starts_with('"')) continue;
    const std::string from = line.substr(1, line.find('"', 1) - 1);
    const std::size_t to = line.find("-> \"") + 4;
    const auto address = Address::parse(from);
    suite.add(std::to_string(++number), address ? address->key() : "refused", line.substr(to, line.size() - to - 1));
  }
  suite.report();
}

}  // namespace
}  // namespace facteur::message
