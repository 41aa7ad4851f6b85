// Values of header fields in the corpus header-mail-parser, sections and structures in imap-fetch-stalwart.
#include <boost/json/src.hpp>
#include <cstdlib>
#include <map>

#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/address.hpp"
#include "message/charset.hpp"
#include "message/date.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/received.hpp"
#include "message/references.hpp"
#include "message/structure.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

namespace json = boost::json;
using namespace corpora;

json::array cases(const std::string& name) {
  return json::parse(read_file(root() / "header-mail-parser" / name)).as_array();
}

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

std::string wanted_addresses(const json::array& list) {
  std::string out;
  for (const auto& entry : list) {
    const auto& o = entry.as_object();
    if (o.contains("addresses")) {
      out += "{" + text_of(o.at("name")) + " " + wanted_addresses(o.at("addresses").as_array()) + "} ";
    } else {
      out += text_of(o.at("name")) + "<" + text_of(o.at("address")) + "> ";
    }
  }
  return out;
}

std::string found_addresses(Bytes value) {
  std::string out;
  for (const auto& entry : parse_address_list(value)) {
    const std::string name = decoded_text(entry.name);
    if (entry.kind == ListedAddress::Kind::group_start) out += "{" + name + " ";
    if (entry.kind == ListedAddress::Kind::group_end) out += "} ";
    if (entry.kind == ListedAddress::Kind::mailbox) {
      out += name + "<" + entry.local + (entry.domain.empty() ? "" : "@" + entry.domain) + "> ";
    }
  }
  return out;
}

TEST_RFC("5322 §3.4", "address lists of the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite count("header-mail-parser/address");
  int number = 0;
  for (const auto& one : cases("address.json")) {
    const std::string header = text_of(one.at("header"));
    const auto& expected = one.at("expected");
    std::string wanted;
    if (expected.is_object() && expected.as_object().contains("List"))
      wanted = wanted_addresses(expected.at("List").as_array());
    if (expected.is_object() && expected.as_object().contains("Group")) {
      const auto& group = expected.at("Group");
      wanted = group.is_array() ? wanted_addresses(group.as_array()) : wanted_addresses(json::array{group});
    }
    const std::string got = found_addresses(header);
    count.add(std::to_string(++number), got == wanted, got, wanted);
  }
  count.report();
}

TEST_RFC("5322 §3.3", "dates of the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite count("header-mail-parser/date");
  int number = 0;
  for (const auto& one : cases("date.json")) {
    const std::string header = text_of(one.at("header"));
    std::string wanted = "none";
    if (one.at("expected").is_object()) {
      const auto integer = [&](const char* name) { return one.at("expected").at(name).to_number<int>(); };
      const Day day{integer("year"), static_cast<std::uint8_t>(integer("month")),
                    static_cast<std::uint8_t>(integer("day"))};
      const int zone = (integer("tz_hour") * 60 + integer("tz_minute")) *
                       (one.at("expected").at("tz_before_gmt").as_bool() ? -1 : 1);
      const auto seconds = days_since_1970(day) * 86'400 + integer("hour") * 3'600 + integer("minute") * 60 +
                           integer("second") - zone * 60;
      wanted = write_iso_date(UtcTime{seconds * 1'000});
    }
    const auto date = parse_date(header);
    const std::string got = date ? write_iso_date(date->time) : "none";
    count.add(std::to_string(++number), got == wanted, got, wanted);
  }
  count.report();
}

TEST_RFC("5322 §3.6.4", "message ids of the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite count("header-mail-parser/id");
  int number = 0;
  for (const auto& one : cases("id.json")) {
    const std::string header = text_of(one.at("header"));
    std::string wanted;
    const auto& expected = one.at("expected");
    if (expected.is_string()) wanted = text_of(expected) + " ";
    if (expected.is_array()) {
      for (const auto& id : expected.as_array()) wanted += text_of(id) + " ";
    }
    std::string got;
    for (const auto& id : parse_message_ids(header)) got += id + " ";
    count.add(std::to_string(++number), got == wanted, got, wanted);
  }
  count.report();
}

TEST_RFC("2047 §6", "unstructured values of the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite count("header-mail-parser/unstructured");
  int number = 0;
  for (const auto& one : cases("unstructured.json")) {
    const std::string header = text_of(one.at("header"));
    // The corpus gives a whole header: the value is what stands before the next field.
    FieldScanner scanner("X:" + header);
    const std::string all = "X:" + header;
    FieldScanner fields(all);
    Field field;
    if (!fields.next(field)) continue;
    std::string got = decoded_text(field.value);
    std::string wanted = text_of(one.at("expected"));
    // How many blanks folding leaves is another habit.
    const auto squeeze = [](std::string& text) {
      std::string out;
      for (const char c : text) {
        if ((c != ' ' && c != '\t') || !out.ends_with(' ')) out += c == '\t' ? ' ' : c;
      }
      text = out;
    };
    squeeze(got);
    squeeze(wanted);
    count.add(std::to_string(++number), got == wanted, got, wanted);
  }
  count.report();
}

TEST_RFC("2045 §5.1", "content types of the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite count("header-mail-parser/content_type");
  int number = 0;
  for (const auto& one : cases("content_type.json")) {
    const std::string header = text_of(one.at("header"));
    const auto& expected = one.at("expected");
    std::string wanted = "none";
    if (expected.is_object()) {
      wanted = text_of(expected.at("c_type")) + "/" + text_of(expected.at("c_subtype"));
      if (expected.as_object().contains("attributes") && expected.at("attributes").is_array()) {
        std::map<std::string, std::string> sorted;
        for (const auto& pair : expected.at("attributes").as_array()) {
          sorted[text_of(pair.is_array() ? pair.as_array()[0] : pair.at("name"))] =
              text_of(pair.is_array() ? pair.as_array()[1] : pair.at("value"));
        }
        for (const auto& [name, value] : sorted) wanted += ";" + name + "=" + value;
      }
    }
    std::string got = "none";
    if (const auto type = parse_content_type(header)) {
      got = type->type + "/" + type->subtype;
      const std::map<std::string, std::string> sorted(type->parameters.begin(), type->parameters.end());
      for (const auto& [name, value] : sorted) got += ";" + name + "=" + decoded_text(value);
    } else if (const auto disposition = parse_disposition(header)) {
      got = disposition->kind + "/";
      const std::map<std::string, std::string> sorted(disposition->parameters.begin(), disposition->parameters.end());
      for (const auto& [name, value] : sorted) got += ";" + name + "=" + decoded_text(value);
    }
    count.add(std::to_string(++number), ascii::equal_ignoring_case(got, wanted), got, wanted);
  }
  count.report();
}

std::string host_text(const json::object& object, const char* name) {
  if (!object.contains(name)) return {};
  const auto& value = object.at(name);
  if (value.is_string()) return text_of(value);
  if (!value.is_object()) return {};
  for (const auto& [kind, text] : value.as_object()) return text_of(text);
  return {};
}

TEST_RFC("5321 §4.4", "Received fields of the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite parts("header-mail-parser/received");
  int number = 0;
  for (const auto& one : cases("received.json")) {
    const std::string header = text_of(one.at("header"));
    if (!one.at("expected").is_object()) continue;
    const auto& expected = one.at("expected").as_object();
    const auto got = parse_received(header).value_or(Received());
    const auto compare = [&](const std::string& found, const std::string& wanted) {
      if (!wanted.empty())
        parts.add(std::to_string(++number), ascii::equal_ignoring_case(found, wanted), found, wanted);
    };
    // In the corpus "from" is the word behind it, even where that is the reverse name (qmail, Exim).
    const bool swapped = expected.contains("helo");
    compare(swapped ? got.from : got.from, swapped ? host_text(expected, "helo") : host_text(expected, "from"));
    compare(got.by, host_text(expected, "by"));
    compare(got.for_address, host_text(expected, "for_"));
    compare(got.from_ip ? to_string(*got.from_ip) : "", host_text(expected, "from_ip"));
    compare(got.id.starts_with('<') ? got.id.substr(1, got.id.size() - 2) : got.id, host_text(expected, "id"));
    compare(got.tls_cipher, host_text(expected, "tls_cipher"));
    if (expected.contains("date"))
      parts.add(std::to_string(++number), got.date.has_value() == expected.at("date").is_object());
  }
  parts.report();
}

// ---- structures

TEST_RFC("9051 §6.4.5", "sections of the corpus imap-fetch-stalwart") {
  if (!present(root() / "imap-fetch-stalwart")) return;
  Suite sections("imap-fetch-stalwart, sections");
  for (const auto& entry : fs::directory_iterator(root() / "imap-fetch-stalwart")) {
    if (entry.path().extension() != ".txt" || entry.path().stem() == "ORIGIN") continue;
    const std::string content = read_file(entry.path());
    fs::path golden = entry.path();
    golden.replace_extension(".imap");
    const std::string text = read_file(golden);
    const std::string record = make_structure("", content);
    const auto structure = Structure::open(record);
    REQUIRE(structure);
    for (std::size_t at = 0; (at = text.find("\nBODY[", at)) != std::string::npos; ++at) {
      const std::size_t close = text.find(']', at);
      std::string spec = text.substr(at + 6, close - at - 6);
      if (text.compare(close, 3, "] {") != 0) continue;
      const std::size_t length = std::strtoul(text.data() + close + 3, nullptr, 10);
      const std::string wanted = text.substr(text.find('\n', close) + 1, length);
      std::vector<std::uint32_t> numbers;
      SectionText which = SectionText::all;
      std::string name = spec;
      for (std::size_t dot = 0; dot != std::string::npos && !spec.empty();) {
        dot = spec.find('.');
        const std::string word = spec.substr(0, dot);
        if (word == "HEADER")
          which = SectionText::header;
        else if (word == "TEXT")
          which = SectionText::text;
        else if (word == "MIME")
          which = SectionText::mime;
        else
          numbers.push_back(static_cast<std::uint32_t>(std::strtoul(word.c_str(), nullptr, 10)));
        if (dot != std::string::npos) spec.erase(0, dot + 1);
      }
      const auto range = structure->section(numbers, which);
      if (!range) continue;  // The corpus gives a leaf's text a number of its own (1.1), and headers to any part.
      const std::string got = content.substr(range->offset, range->length);
      // The corpus counts a header's end without its blank line, and parts with one of their line ends.
      const auto trimmed = [](std::string s) {
        while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.pop_back();
        return s;
      };
      sections.add(entry.path().stem().string() + "/" + name, trimmed(got) == trimmed(wanted), got, wanted);
    }
  }
  sections.report();
}

// Nesting and subtypes of a BODYSTRUCTURE: "[plain [html gif alternative] mixed]", "rfc822(...)" for messages.
class Shape {
 public:
  explicit Shape(Bytes text) : text_(text) {}
  std::string read() {
    blank();
    if (at_ >= text_.size() || text_[at_] != '(') return "?";
    ++at_;
    blank();
    std::string out;
    if (at_ < text_.size() && text_[at_] == '(') {
      out = "[";
      while (at_ < text_.size() && text_[at_] == '(') {
        out += read() + " ";
        blank();
      }
      out += string() + "]";
      skip_to_end();
      return out;
    }
    const std::string type = string();
    out = string();
    if (ascii::equal_ignoring_case(type, "message") && ascii::equal_ignoring_case(out, "rfc822")) {
      for (int i = 0; i < 6; ++i) value();  // Parameters, id, description, encoding, size, envelope.
      blank();
      if (at_ < text_.size() && text_[at_] == '(') out += "(" + read() + ")";
    }
    skip_to_end();
    return ascii::lower(out);
  }

 private:
  void blank() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }
  std::string string() {
    blank();
    std::string out;
    if (at_ < text_.size() && text_[at_] == '"') {
      for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
        if (text_[at_] == '\\') ++at_;
        out += text_[at_];
      }
      ++at_;
    } else if (at_ < text_.size() && text_[at_] == '{') {
      const std::size_t length = std::strtoul(text_.data() + at_ + 1, nullptr, 10);
      at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1 + length;
    } else {
      while (at_ < text_.size() && std::string_view(" ()\r\n").find(text_[at_]) == std::string_view::npos) ++at_;
    }
    return out;
  }
  void value() {
    blank();
    if (at_ < text_.size() && text_[at_] == '(') {
      ++at_;
      skip_to_end();
    } else {
      string();
    }
  }
  // Behind the ')' of the list we are in.
  void skip_to_end() {
    for (;;) {
      blank();
      if (at_ >= text_.size()) return;
      if (text_[at_] == ')') {
        ++at_;
        return;
      }
      value();
    }
  }
  Bytes text_;
  std::size_t at_ = 0;
};

TEST_RFC("9051 §7.5.2", "nesting and types in BODYSTRUCTURE of the corpus imap-fetch-stalwart") {
  if (!present(root() / "imap-fetch-stalwart")) return;
  Suite count("imap-fetch-stalwart, nesting");
  for (const auto& entry : fs::directory_iterator(root() / "imap-fetch-stalwart")) {
    if (entry.path().extension() != ".txt" || entry.path().stem() == "ORIGIN") continue;
    fs::path golden = entry.path();
    golden.replace_extension(".imap");
    const std::string text = read_file(golden);
    const std::string record = make_structure("", read_file(entry.path()));
    const auto start = text.find("\nBODYSTRUCTURE (");
    if (start == std::string::npos) continue;
    const std::string wanted = Shape(Bytes(text).substr(start + 15)).read();
    const std::string got = Shape(Structure::open(record)->bodystructure()).read();
    count.add(entry.path().stem().string(), got == wanted, got, wanted);
  }
  count.report();
}

}  // namespace
}  // namespace facteur::message
