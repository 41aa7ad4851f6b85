#include "cli/message_file.hpp"

#include <boost/json.hpp>
#include <optional>
#include <vector>

#include "base/base64.hpp"
#include "cli/print.hpp"
#include "cli/trace.hpp"
#include "crypto/hash.hpp"
#include "message/ambiguity.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/inert.hpp"
#include "message/mime.hpp"
#include "message/text.hpp"
#include "message/verify.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;
using message::inert_text;
using message::Part;
using message::PartTree;

// Part numbers as IMAP counts them (RFC 9051 §6.4.5): the children of the message's own multipart are 1, 2, 3.
std::vector<std::string> numbers_of(const PartTree& tree) {
  std::vector<std::string> out(tree.parts.size());
  for (std::size_t i = 0; i < tree.parts.size(); ++i) {
    const Part& part = tree.parts[i];
    const bool alone = part.parent == Part::none || tree.parts[part.parent].kind == Part::Kind::message;
    if (alone) {
      // A message: its body is part 1 of it, unless it is a multipart, which has no number of its own.
      const std::string above = part.parent == Part::none ? "" : out[part.parent];
      out[i] = part.kind == Part::Kind::multipart ? above : above.empty() ? "1" : above + ".1";
    }
    std::size_t count = 0;
    if (part.kind != Part::Kind::multipart) continue;
    for (std::uint32_t child = part.first_child; child != Part::none; child = tree.parts[child].next_sibling) {
      out[child] = (out[i].empty() ? "" : out[i] + ".") + std::to_string(++count);
    }
  }
  return out;
}

std::string_view name_of(message::Encoding encoding) {
  static constexpr std::string_view names[] = {"7bit", "8bit", "binary", "quoted-printable", "base64", "?"};
  return names[static_cast<std::size_t>(encoding)];
}

std::string file_name_of(Bytes text, const Part& part) {
  return inert_text(message::file_name(text.substr(part.header, part.header_length)));
}

std::string type_of(const Part& part) { return inert_text(part.content_type.type + "/" + part.content_type.subtype); }

json::object told(Bytes text, const Part& part, const std::string& number) {
  json::object out{{"part", number},
                   {"type", type_of(part)},
                   {"encoding", name_of(part.encoding)},
                   {"offset", part.header},
                   {"header_octets", part.header_length},
                   {"body_octets", part.body_length},
                   {"lines", part.lines}};
  const std::string name = file_name_of(text, part);
  if (!name.empty()) out["name"] = name;
  const auto charset = part.content_type.parameter("charset");
  if (!charset.empty()) out["charset"] = inert_text(charset);
  if (part.kind == Part::Kind::leaf) {
    const std::string octets = message::decoded_body(text, part);
    out["decoded_octets"] = octets.size();
    out["sha256"] = to_hex(crypto::sha256(octets).view());
  }
  return out;
}

json::array parts_told(Bytes text, const PartTree& tree) {
  json::array out;
  const auto numbers = numbers_of(tree);
  for (std::size_t i = 0; i < tree.parts.size(); ++i) out.push_back(told(text, tree.parts[i], numbers[i]));
  return out;
}

std::vector<std::string> row_of(Bytes text, const Part& part, const std::string& number) {
  const auto charset = part.content_type.parameter("charset");
  const std::string name = file_name_of(text, part);
  return {std::string(2UL * part.depth, ' ') + (number.empty() ? "-" : number),
          type_of(part),
          std::string(name_of(part.encoding)),
          std::to_string(part.body_length),
          inert_text(charset),
          name.empty() ? "" : "\"" + name + "\""};
}

// `charset`: of raw octets, which have no right to be there.
std::string decoded(Bytes value, std::string_view charset) { return inert_text(message::decoded_text(value, charset)); }

int print_json(const json::value& value, int code = ExitCode::done) {
  print(json::serialize(value) + "\n");
  return code;
}

std::string_view weight_name(message::Finding::Weight weight) {
  using Weight = message::Finding::Weight;
  return weight == Weight::error ? "error" : weight == Weight::warning ? "warning" : "note";
}

}  // namespace

int message_show(const Context& context, const std::string& file) {
  const auto text = read_message(context, file);
  if (!text) return ExitCode::failed;
  const PartTree tree = message::parse_mime(*text);
  const std::string body = inert_text(message::display_text(*text, tree), true);
  const auto charset = message::charset_of_header(*text, tree);
  json::object fields;
  std::vector<std::vector<std::string>> rows;
  for (const auto* name : {"From", "Sender", "To", "Cc", "Date", "Subject"}) {
    const auto value = message::first_field(*text, name);
    if (!value) continue;
    fields[name] = decoded(*value, charset);
    rows.push_back({std::string(name) + ":", decoded(*value, charset)});
  }
  if (context.json) {
    return print_json(json::object{{"fields", std::move(fields)}, {"text", body}, {"parts", parts_told(*text, tree)}});
  }
  std::string out = table(rows) + "\n" + body;
  if (!out.ends_with('\n')) out += '\n';
  std::vector<std::vector<std::string>> attached;
  const auto numbers = numbers_of(tree);
  for (std::size_t i = 0; i < tree.parts.size(); ++i) {
    const Part& part = tree.parts[i];
    const std::string name = file_name_of(*text, part);
    if (part.kind == Part::Kind::multipart || (name.empty() && part.content_type.type == "text")) continue;
    if (part.parent == Part::none) continue;
    attached.push_back({numbers[i], type_of(part), std::to_string(part.body_length), name});
  }
  if (!attached.empty()) out += "\n" + context.say("message.attached") + "\n" + table(attached);
  print(out);
  return ExitCode::done;
}

int message_structure(const Context& context, const std::string& file) {
  const auto text = read_message(context, file);
  if (!text) return ExitCode::failed;
  const PartTree tree = message::parse_mime(*text);
  const auto marks = message::find_ambiguities(*text, tree);
  if (context.json) {
    return print_json(json::object{{"octets", text->size()},
                                   {"ambiguous", marks.text()},
                                   {"limit", tree.truncated},
                                   {"parts", parts_told(*text, tree)}});
  }
  std::vector<std::vector<std::string>> rows;
  const auto numbers = numbers_of(tree);
  for (std::size_t i = 0; i < tree.parts.size(); ++i) rows.push_back(row_of(*text, tree.parts[i], numbers[i]));
  print(table(rows));
  if (!marks.empty()) print(context.say("message.ambiguous", {marks.text()}) + "\n");
  return ExitCode::done;
}

int message_headers(const Context& context, const std::string& file) {
  const auto text = read_message(context, file);
  if (!text) return ExitCode::failed;
  const PartTree tree = message::parse_mime(*text);
  const auto charset = message::charset_of_header(*text, tree);
  json::array list;
  std::string out;
  message::FieldScanner scanner(*text);
  message::Field field;
  while (scanner.next(field)) {
    const std::string name = inert_text(field.name);
    const std::string value = decoded(field.name.empty() ? field.whole : field.value, charset);
    list.push_back(json::object{{"name", name}, {"value", value}});
    out += (name.empty() ? "?" : name) + ": " + value + "\n";
  }
  if (context.json) return print_json(list);
  print(out);
  return ExitCode::done;
}

int message_verify(const Context& context, const std::string& file) {
  const auto text = read_message(context, file);
  if (!text) return ExitCode::failed;
  const auto found = message::verify(*text);
  const PartTree tree = message::parse_mime(*text);
  json::array list;
  std::string out;
  int code = ExitCode::done;
  for (const auto& one : found) {
    if (one.weight == message::Finding::Weight::error) code = ExitCode::failed;
    list.push_back(json::object{{"weight", weight_name(one.weight)},
                                {"what", one.what},
                                {"line", one.line},
                                {"count", one.count},
                                {"detail", one.detail}});
    out += context.say("verify.weight." + std::string(weight_name(one.weight))) + ": ";
    if (one.line > 0) out += context.say("verify.line", {std::to_string(one.line)}) + ": ";
    out += context.say("verify." + std::string(one.what));
    if (!one.detail.empty()) out += " (" + one.detail + ")";
    if (one.count > 1) out += " " + context.say("verify.times", {std::to_string(one.count)});
    out += "\n";
  }
  if (context.json)
    return print_json(json::object{{"findings", std::move(list)}, {"parts", parts_told(*text, tree)}}, code);
  if (found.empty()) out = context.say("verify.good") + "\n";
  out += "\n" + context.say("verify.hashes") + "\n";
  std::vector<std::vector<std::string>> rows;
  const auto numbers = numbers_of(tree);
  for (std::size_t i = 0; i < tree.parts.size(); ++i) {
    if (tree.parts[i].kind != Part::Kind::leaf) continue;
    const std::string octets = message::decoded_body(*text, tree.parts[i]);
    rows.push_back({numbers[i], type_of(tree.parts[i]), to_hex(crypto::sha256(octets).view())});
  }
  print(out + table(rows) + "\n" + context.say("verify.not_checked") + "\n");
  return code;
}

}  // namespace facteur::cli
