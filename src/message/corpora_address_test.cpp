// Addresses and host names of the corpora address-isemail, header-jakarta, eai-arnt and unit-postfix.
#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/address.hpp"
#include "message/charset.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/idn.hpp"
#include "message/mime.hpp"
#include "message/text.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;

// The text of the element, with the references of XML and U+2400+c undone.
std::string element(std::string_view xml, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">";
  const std::size_t start = xml.find(open);
  const std::size_t end = xml.find("</" + std::string(name), start);
  if (start == std::string_view::npos || end == std::string_view::npos) return {};
  const std::string_view raw = xml.substr(start + open.size(), end - start - open.size());
  std::string out;
  for (std::size_t i = 0; i < raw.size();) {
    const std::string_view rest = raw.substr(i);
    if (rest.starts_with("&#x24") && rest.size() > 7 && rest[7] == ';') {
      out += static_cast<char>(std::stoi(std::string(rest.substr(5, 2)), nullptr, 16));
      i += 8;
    } else if (rest.starts_with("\xe2\x90") && rest.size() > 2) {  // U+2400 to U+243F.
      const auto code = static_cast<unsigned char>(rest[2]) - 0x80;
      out += static_cast<char>(code == 0x21 ? 0x7f : code);
      i += 3;
    } else {
      std::size_t length = 0;
      for (const auto& [reference, character] :
           {std::pair{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}) {
        if (!rest.starts_with(reference)) continue;
        out += character;
        length = std::string_view(reference).size();
      }
      if (length == 0) out += rest[0];
      i += std::max<std::size_t>(length, 1);
    }
  }
  return out;
}

TEST_RFC("5321 §4.1.2", "addresses of the corpus address-isemail, in the envelope and in header fields") {
  if (!present(root() / "address-isemail")) return;
  for (const std::string file : {"tests", "tests-original"}) {
    const std::string xml = read_file(root() / "address-isemail" / (file + ".xml"));
    Suite envelope("address-isemail/" + file + ", envelope");
    Suite header("address-isemail/" + file + ", header");
    for (std::size_t at = 0; (at = xml.find("<test id=\"", at)) != std::string::npos; ++at) {
      const std::string id = xml.substr(at + 10, xml.find('"', at + 10) - at - 10);
      const std::string_view one = std::string_view(xml).substr(at, xml.find("</test>", at) - at);
      const std::string address = element(one, "address");
      const std::string category = element(one, "category");
      const bool smtp =
          category == "ISEMAIL_VALID_CATEGORY" || category == "ISEMAIL_DNSWARN" || category == "ISEMAIL_RFC5321";
      const auto parsed = Address::parse(address);
      envelope.add(id, parsed.has_value() == smtp, parsed ? "valid" : "refused", category + " " + address);
      if (category == "ISEMAIL_ERR") continue;
      const auto list = parse_address_list(address);
      const bool read = list.size() == 1 && list[0].kind == ListedAddress::Kind::mailbox && !list[0].domain.empty();
      header.add(id, read, std::to_string(list.size()), category + " " + address);
      // What is valid means the same in both places.
      if (smtp && parsed && read) CHECK(list[0].local == parsed->local);
    }
    envelope.report();
    header.report();
  }
}

// As the corpus writes an address.
std::string written(const ListedAddress& entry) {
  return quoted_local(entry.local) + (entry.domain.empty() ? "" : "@" + entry.domain);
}

TEST_RFC("5322 §3.4", "address lists of the corpus header-jakarta") {
  if (!present(root() / "header-jakarta")) return;
  std::ifstream in(root() / "header-jakarta/internet/addrlist");
  Suite suite("header-jakarta/addrlist");
  std::string value;
  int number = 0;
  int refusals = 0;
  bool reading = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("To:") || line.starts_with("From:")) {
      value = line.substr(line.find(':') + 1);
      reading = true;
    } else if (reading && (line.starts_with(' ') || line.starts_with('\t'))) {
      value += "\r\n" + line;
    } else if (line.starts_with("Expect: ")) {
      reading = false;
      ++number;
      const auto count = ascii::number<int>(std::string_view(line).substr(8));
      const auto list = parse_address_list(value);
      // Header fields are never refused here: where the suite wants an exception, only the end is wanted.
      refusals += !count;
      if (!count) continue;
      std::string got;
      std::string wanted;
      bool group = false;
      for (const auto& entry : list) {
        if (entry.kind == ListedAddress::Kind::group_end) group = false;
        if (entry.kind == ListedAddress::Kind::group_start) got += entry.name + ":; ";
        if (entry.kind == ListedAddress::Kind::mailbox && !group) got += written(entry) + " ";
        if (entry.kind == ListedAddress::Kind::group_start) group = true;
      }
      for (int i = 0; i < *count && std::getline(in, line); ++i) {
        std::string_view text = ascii::trimmed(line);
        const std::size_t colon = text.find(':');
        const bool is_group = text.ends_with(';') && colon != std::string_view::npos;
        wanted += is_group ? std::string(text.substr(0, colon)) + ":; " : std::string(text) + " ";
      }
      // The suite gives quoting as it was written.
      const auto marks = [](char c) { return c == '"' || c == '\\'; };
      std::erase_if(got, marks);
      std::erase_if(wanted, marks);
      suite.add(std::to_string(number), got, wanted);
    }
  }
  MESSAGE("header-jakarta/addrlist: " << refusals << " that the suite refuses are read");
  suite.report();
}

TEST_RFC("5322 §2.2.3", "unfolding in the corpus header-jakarta") {
  if (!present(root() / "header-jakarta")) return;
  std::ifstream in(root() / "header-jakarta/internet/folddata");
  Suite suite("header-jakarta/folddata");
  const auto text_until_mark = [&] {
    std::string text;
    for (std::string line; std::getline(in, line);) {
      if (!text.empty()) text += '\n';
      text += line;
      if (line.ends_with('$')) break;
    }
    if (text.ends_with('$')) text.pop_back();
    return text;
  };
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    if (line != "UNFOLD" && line != "BOTH") continue;
    const std::string text = text_until_mark();
    std::string wanted = text;
    if (line == "UNFOLD") {
      std::getline(in, line);
      wanted = text_until_mark();
    }
    // Fields are trimmed here.
    suite.add(std::to_string(++number), unfolded(text), std::string_view(unfolded("x " + wanted)).substr(2));
  }
  suite.report();
}

TEST_RFC("6532 §3.2", "headers of the corpus eai-arnt") {
  if (!present(root() / "eai-arnt")) return;
  Suite suite("eai-arnt");
  const auto field = [](const std::string& message, std::string_view name) {
    return first_field(message, name).value_or(Bytes());
  };
  const auto address = [](Bytes value) {
    const auto one = first_mailbox(value);
    return one ? one->key() : std::string("none");
  };
  const auto file = [](const char* name) { return read_file(root() / "eai-arnt" / name); };
  suite.add("addresses", address(field(file("addresses"), "From")), "j\xc3\xb8ran@example.com");
  suite.add("addresses-name", decoded_text(parse_address_list(field(file("from"), "From"))[0].name),
            "J\xc3\xb8ran \xc3\x98yg\xc3\xa5rdv\xc3\xa6r");
  suite.add("not-emoji", address(field(file("not-emoji"), "From")), "xn--ls8ha@outlook.com");
  suite.add("punycode", address(field(file("punycode"), "To")), "d\xc3\xb8mi@xn--dmi-0na.fo");
  suite.add("punycode-shown", to_u_labels("xn--dmi-0na.fo"), "d\xc3\xb8mi.fo");
  suite.add("punycode-back", to_a_labels("d\xc3\xb8mi.fo").value_or("none"), "xn--dmi-0na.fo");
  const std::string message = file("attachment");
  const auto tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 3);
  const std::string name =
      "bl\xc3\xa5"
      "b\xc3\xa6rsyltet\xc3\xb8y";
  suite.add("attachment", file_name(Bytes(message).substr(tree.parts[2].header, tree.parts[2].header_length)), name);
  suite.add("mimefield", file_name(file("mimefield")), name);
  suite.report();
}

// Postfix quotes and unquotes whole addresses; the last '@' is where its domain begins.
TEST_RFC("5321 §4.1.2", "quoting of local parts in the corpus unit-postfix") {
  if (!present(root() / "unit-postfix")) return;
  Suite suite("unit-postfix/quote_822_local");
  std::ifstream in(root() / "unit-postfix/global/quote_822_local.ref");
  for (std::string line; std::getline(in, line);) {
    const std::size_t end = line.find("' ", 1);
    const std::string_view from = std::string_view(line).substr(1, end - 1);
    const std::size_t start = line.find('\'', end + 1);
    const std::string_view to = std::string_view(line).substr(start + 1, line.size() - start - 2);
    if (line.find("flags=") != std::string::npos) continue;  // A mode of Postfix.
    const bool quoting = line.find("unquoted", end) == std::string::npos;
    const std::size_t at = from.rfind('@');
    std::string got;
    if (quoting) {
      got = quoted_local(from.substr(0, at)) + (at == std::string_view::npos ? "" : std::string(from.substr(at)));
    } else {
      for (const auto& entry : parse_address_list(from))
        got += entry.local + (entry.domain.empty() ? "" : "@" + entry.domain);
    }
    suite.add(std::string(from), got, to);
  }
  suite.report();
}

TEST_RFC("5890 §2.3.2.1", "domains of the corpus unit-postfix, to ASCII and to UTF-8") {
  if (!present(root() / "unit-postfix")) return;
  Suite suite("unit-postfix/midna_domain_test");
  std::ifstream in(root() / "unit-postfix/util/midna_domain_test.ref");
  for (std::string line; std::getline(in, line);) {
    // "name" ->ascii "result"
    const std::size_t open = line.find("midna_domain: \"");
    const std::size_t arrow = line.find("\" ->");
    if (open == std::string::npos || arrow == std::string::npos || line.find("->", arrow + 5) != std::string::npos)
      continue;
    const std::string name = line.substr(open + 15, arrow - open - 15);
    const bool ascii_form = line.compare(arrow + 4, 5, "ascii") == 0;
    const std::size_t start = line.find('"', arrow + 4);
    const std::string wanted = line.substr(start + 1, line.size() - start - 2);
    if (ascii_form) {
      const auto domain = Domain::parse(name);
      suite.add("ascii:" + name.substr(0, 40), domain ? domain->text() : "(error)", wanted);
    } else if (wanted != "(error)") {
      suite.add("utf8:" + name.substr(0, 40), to_u_labels(to_a_labels(name).value_or("")), wanted);
    }
  }
  suite.report();
}

// Addresses only; each is one value, some of several lines.
TEST_RFC("5322 §3.4", "addresses of the corpus unit-postfix") {
  if (!present(root() / "unit-postfix")) return;
  Suite suite("unit-postfix/tok822_parse");
  const std::string ref = read_file(root() / "unit-postfix/global/tok822_parse.ref");
  int number = 0;
  for (std::size_t at = 0; (at = ref.find(">>>", at)) != std::string::npos; ++at) {
    const std::size_t end = ref.find("<<<\n", at);
    if (end == std::string::npos) break;
    const std::string value = ref.substr(at + 3, end - at - 3);
    const std::size_t mark = ref.find("Internalized:\n", end);
    std::string wanted = ref.substr(mark + 14, ref.find("\n\n", mark) - mark - 14);
    at = mark;
    ++number;
    if (wanted.size() > 200 || value.find_first_of(":(<") != std::string::npos) continue;
    std::string got;
    for (const auto& entry : parse_address_list(value)) {
      if (!got.empty()) got += ", ";
      got += entry.local + (entry.domain.empty() ? "" : "@" + entry.domain);
    }
    suite.add(std::to_string(number), got, wanted);
  }
  suite.report();
}

}  // namespace
}  // namespace facteur::message
