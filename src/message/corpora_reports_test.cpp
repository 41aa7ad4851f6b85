// Reports of the corpora reports-mail-auth and reports-parsedmarc: complaints as fields, and mails with reports of
// DMARC and TLS in them, whose contents are not for this folder.
#include <boost/json.hpp>

#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/date.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/report_reader.hpp"
#include "message/text.hpp"
#include "message/value_cursor.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;
namespace json = boost::json;

std::string without_marks(std::string_view text) {
  std::string out = ascii::lower(text);
  std::erase_if(out, [](char c) { return c == '-' || c == '_'; });
  return out;
}

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_value_blank(c)) out += c;
  }
  return out;
}

// As the suite names it in its JSON: field of the report, key, and how it writes the value.
std::string field_as_wanted(const ReadReport& report, const std::string& key) {
  std::string name = key;
  std::ranges::replace(name, '_', '-');
  const std::string value(report.field(name));
  if (key == "feedback_type" || key == "auth_failure") return without_marks(value);
  if (key == "arrival_date") {
    const auto date = parse_date(value);
    return date ? std::to_string(date->time.milliseconds / 1000) : std::string();
  }
  if (key == "reporting_mta") return std::string(ascii::trimmed(std::string_view(value).substr(value.find(';') + 1)));
  if (key == "source_ip") return value.substr(0, value.find(' '));
  return squeezed(value);
}

std::string wanted_value(const json::value& value, const std::string& key) {
  if (value.is_int64()) return std::to_string(value.as_int64());
  if (value.is_array()) return value.as_array().empty() ? "" : wanted_value(value.as_array().front(), key);
  if (!value.is_string()) return {};
  const std::string text(value.as_string());
  return key == "feedback_type" || key == "auth_failure" ? without_marks(text) : squeezed(text);
}

TEST_RFC("5965 §3", "fields of the complaints in the corpus reports-mail-auth") {
  const fs::path folder = root() / "reports-mail-auth/arf";
  if (!present(folder)) return;
  Suite suite("reports-mail-auth/arf");
  for (const auto& path : files_below(folder)) {
    if (path.extension() != ".eml") continue;
    fs::path expected = path;
    const auto wanted = json::parse(read_file(expected.replace_extension(".json"))).as_object();
    const auto report = read_report(read_file(path));
    suite.add(path.stem().string() + "/kind", name_of(report.kind), "feedback");
    for (const auto& [key, value] : wanted) {
      // What the suite fills in where nothing was said, and the message behind the report.
      const bool unsaid = value.is_null() || value == "Unspecified" || value == 0;
      if (unsaid || key == "headers" || key == "message" || (key == "incidents" && value == 1)) continue;
      const std::string want = wanted_value(value, key);
      if (want.empty()) continue;
      suite.add(path.stem().string() + "/" + std::string(key), field_as_wanted(report, key), want);
    }
  }
  suite.report();
}

// RFC 9990 and RFC 8460 §5.1: receiver!policy-domain!begin!end, perhaps an identifier, then what it is packed
// with.
bool is_report_name(std::string_view name) { return std::ranges::count(name, '!') >= 3; }

bool looks_packed(std::string_view octets) {
  constexpr std::string_view zip{"PK\x03\x04", 4};
  constexpr std::string_view gzip{"\x1f\x8b", 2};
  return octets.starts_with(zip) || octets.starts_with(gzip) || octets.starts_with('{') || octets.starts_with('<');
}

// The report of a mail that carries one: "name: zip", or why there is none.
std::string attached_report(const std::string& content) {
  std::string out = "none";
  for (const Part& part : parse_mime(content).parts) {
    if (part.kind != Part::Kind::leaf || part.content_type.type != "application") continue;
    const std::string name = file_name(Bytes(content).substr(part.header, part.header_length));
    if (!is_report_name(name)) return "name " + name;
    return looks_packed(decoded_body(content, part)) ? "report" : "octets";
  }
  return out;
}

TEST_RFC("2183 §2.3", "reports carried by mails in the corpora reports-mail-auth and reports-parsedmarc") {
  for (const auto* corpus : {"reports-mail-auth", "reports-parsedmarc"}) {
    if (!present(root() / corpus)) continue;
    Suite suite(std::string(corpus) + "/mails");
    for (const auto& path : files_below(root() / corpus)) {
      if (path.extension() != ".eml") continue;
      const std::string place = path.parent_path().filename().string();
      const std::string content = read_file(path);
      const bool complaint = place == "arf" || place == "failure";
      const std::string got = complaint ? std::string(name_of(read_report(content).kind)) : attached_report(content);
      suite.add(place + "/" + path.stem().string(), got, complaint ? "feedback" : "report");
    }
    suite.report();
  }
}

}  // namespace
}  // namespace facteur::message
