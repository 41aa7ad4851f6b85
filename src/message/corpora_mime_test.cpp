// Structure, bodies and files of the MIME corpora as their authors saw them.
#include <boost/json.hpp>
#include <map>

#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/charset.hpp"
#include "message/embedded.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/partial.hpp"
#include "message/text.hpp"
#include "message/tnef.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;
namespace json = boost::json;

std::string without_cr(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '\r') out += c;
  }
  return out;
}

std::string trimmed_lines(std::string_view text) {
  std::string out = without_cr(text);
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

// ---- mime4j

// The nesting of multiparts, parts and messages as its parser saw it.
std::string wanted_nesting(const std::string& xml) {
  std::string out;
  for (std::size_t at = 0; (at = xml.find('<', at)) != std::string::npos; ++at) {
    const Bytes rest = Bytes(xml).substr(at);
    if (rest.starts_with("<multipart>")) out += '[';
    if (rest.starts_with("</multipart>")) out += ']';
    if (rest.starts_with("<body-part>")) out += 'p';
    if (rest.starts_with("<message>") && at > 10) out += 'm';
  }
  // A multipart in which no part was found has no brackets here.
  for (std::size_t at = 0; (at = out.find("[]")) != std::string::npos;) out.erase(at, 2);
  return out.starts_with('m') ? out.substr(1) : out;
}

std::string found_nesting(const PartTree& tree, std::uint32_t index) {
  const Part& part = tree.parts[index];
  std::string out;
  if (part.kind == Part::Kind::multipart && part.children > 0) out += '[';
  for (std::uint32_t child = part.first_child; child != Part::none; child = tree.parts[child].next_sibling) {
    out += part.kind == Part::Kind::message ? 'm' : 'p';
    out += found_nesting(tree, child);
  }
  if (part.kind == Part::Kind::multipart && part.children > 0) out += ']';
  return out;
}

TEST_RFC("2046 §5.1", "nesting and decoded bodies of the corpus mime4j") {
  if (!present(root() / "mime4j")) return;
  Suite nesting("mime4j, nesting");
  Suite bodies("mime4j, bodies");
  for (const auto& path : files_below(root() / "mime4j")) {
    fs::path xml = path;
    if (path.extension() != ".msg" || !fs::exists(xml.replace_extension(".xml"))) continue;
    const std::string content = read_file(path);
    const auto tree = parse_mime(content);
    nesting.add(path.stem().string(), found_nesting(tree, 0), wanted_nesting(read_file(xml)));
    std::vector<const Part*> leaves;
    for (const Part& part : tree.parts) {
      if (part.kind == Part::Kind::leaf) leaves.push_back(&part);
    }
    const std::string decoded = read_file(path.parent_path() / (path.stem().string() + "_decoded.xml"));
    std::size_t number = 0;
    for (std::size_t at = 0; (at = decoded.find("-body name=\"", at)) != std::string::npos; ++at, ++number) {
      const std::string name = decoded.substr(at + 12, decoded.find('"', at + 12) - at - 12);
      const std::string wanted = read_file(path.parent_path() / name);
      const std::string got = number < leaves.size() ? decoded_body(content, *leaves[number]) : "no part";
      // Text comes in UTF-8 there, whatever it was.
      const bool equal = trimmed_lines(got) == trimmed_lines(wanted) ||
                         (number < leaves.size() &&
                          trimmed_lines(decoded_body_text(content, *leaves[number])) == trimmed_lines(wanted));
      bodies.add(name, equal, got, wanted);
    }
  }
  nesting.report();
  bodies.report();
}

// ---- mail-parser: a tree in JSON

std::string kind_of(const json::value& body) {
  return body.is_object() ? std::string(body.as_object().begin()->key()) : std::string(body.as_string());
}

// M multipart, T text (HTML too), B other leaf, R a message with what is inside.
std::string wanted_shape(const json::value& message) {
  std::string out;
  for (const auto& part : message.at("parts").as_array()) {
    const std::string kind = kind_of(part.at("body"));
    if (kind == "Message") {
      out += "R(" + wanted_shape(part.at("body").at("Message")) + ")";
    } else {
      out += kind == "Multipart" ? 'M' : kind == "Text" || kind == "Html" ? 'T' : 'B';
    }
  }
  return out;
}

// Parts in order of their headers.
std::string found_shape(const PartTree& tree, std::uint32_t index) {
  const Part& part = tree.parts[index];
  if (part.kind == Part::Kind::message) return "R(" + found_shape(tree, part.first_child) + ")";
  std::string out(1, part.kind == Part::Kind::multipart ? 'M' : part.content_type.type == "text" ? 'T' : 'B');
  for (std::uint32_t child = part.first_child; child != Part::none; child = tree.parts[child].next_sibling) {
    out += found_shape(tree, child);
  }
  return out;
}

void wanted_texts(const json::value& message, std::string& out) {
  for (const auto& part : message.at("parts").as_array()) {
    const std::string kind = kind_of(part.at("body"));
    if (kind == "Message") wanted_texts(part.at("body").at("Message"), out);
    if (kind == "Text" || kind == "Html") {
      out += "{" + trimmed_lines(std::string(part.at("body").at(kind).as_string())) + "}";
    }
  }
}

TEST_RFC("2045 §5", "parts and texts of the corpus mime-mail-parser") {
  if (!present(root() / "mime-mail-parser")) return;
  Suite shapes("mime-mail-parser, parts");
  Suite texts("mime-mail-parser, texts");
  for (const auto& path : files_below(root() / "mime-mail-parser/eml")) {
    if (path.extension() != ".eml") continue;
    for (const bool crlf : {false, true}) {
      fs::path expected = path;
      expected.replace_extension(crlf ? ".crlf.json" : ".json");
      if (!fs::exists(expected)) continue;
      std::string content = read_file(path);
      if (crlf) {
        const std::string lf = without_cr(content);
        content.clear();
        for (const char c : lf) content += c == '\n' ? std::string("\r\n") : std::string(1, c);
      }
      const auto wanted = json::parse(read_file(expected));
      const auto tree = parse_mime(content);
      const std::string id = path.parent_path().filename().string() + "/" + expected.stem().string();
      shapes.add(id, found_shape(tree, 0), wanted_shape(wanted));
      if (found_shape(tree, 0) != wanted_shape(wanted)) continue;
      std::string got_texts;
      std::string want_texts;
      wanted_texts(wanted, want_texts);
      for (const Part& part : tree.parts) {
        if (part.kind != Part::Kind::leaf || part.content_type.type != "text") continue;
        got_texts += "{" + trimmed_lines(decoded_body_text(content, part)) + "}";
      }
      texts.add(id, got_texts, want_texts);
    }
  }
  shapes.report();
  texts.report();
}

// ---- jwz: what MailCore counted

int single_parts(const json::value& value) {
  if (value.is_array()) {
    int count = 0;
    for (const auto& one : value.as_array()) count += single_parts(one);
    return count;
  }
  if (!value.is_object()) return 0;
  const auto& object = value.as_object();
  int count = object.contains("partType") && object.at("partType") == "single" ? 1 : 0;
  for (const auto* name : {"mainPart", "parts", "items"}) {
    if (object.contains(name)) count += single_parts(object.at(name));
  }
  return count;
}

TEST_RFC("2046 §5.1", "the number of leaves in the corpus mime-jwz") {
  if (!present(root() / "mime-jwz")) return;
  Suite suite("mime-jwz");
  for (const auto& path : files_below(root() / "mime-jwz/input")) {
    const fs::path expected = root() / "mime-jwz/output" / fs::relative(path, root() / "mime-jwz/input");
    if (!fs::exists(expected)) continue;
    boost::system::error_code error;
    const auto wanted = json::parse(read_file(expected), error);
    if (error) continue;
    const std::string content = read_file(path);
    int leaves = 0;
    for (const Part& part : parse_mime(content).parts) leaves += part.kind == Part::Kind::leaf;
    suite.add(path.parent_path().filename().string() + "/" + path.filename().string(), std::to_string(leaves),
              std::to_string(single_parts(wanted)));
  }
  suite.report();
}

// ---- summary: the words of the text in many charsets

TEST_CASE("the text shown of the messages of the corpus mime-summary has the words expected") {
  if (!present(root() / "mime-summary")) return;
  Suite suite("mime-summary");
  for (const auto& path : files_below(root() / "mime-summary/summary/output")) {
    fs::path input = root() / "mime-summary/summary/input" / path.filename();
    if (!fs::exists(input)) input.replace_extension(".eml");
    if (!fs::exists(input)) continue;
    const std::string content = read_file(input);
    const auto tree = parse_mime(content);
    std::string text = display_text(content, tree);
    const std::string expected = read_file(path);
    std::string missing;
    const std::size_t body = expected.find("\n\n");
    const std::size_t end = std::min(expected.find("\xe2\x80\x93\xe2\x80\x93\xe2\x80\x93"), expected.size());
    int words = 0;
    for (std::size_t at = body + 2; at < end;) {
      if (expected.compare(at, 2, "- ") == 0) {  // Its list of attachments.
        at = std::min(expected.find('\n', at), end) + 1;
        continue;
      }
      const std::size_t stop = std::min(expected.find_first_of(" \n\t\r", at), end);
      const std::string word = expected.substr(at, stop - at);
      at = stop + 1;
      // Addresses of links and images, and marks of lists, are the suite's own.
      if (word.empty() || word.find("://") != std::string::npos || word.find_first_of("[]*<>|") != std::string::npos)
        continue;
      ++words;
      if (text.find(word) == std::string::npos) missing += word + " ";
    }
    suite.add(path.stem().string(), missing.empty(), "without: " + missing.substr(0, 300),
              std::to_string(words) + " words");
  }
  suite.report();
}

TEST_CASE("texts whose charset is known, of the corpora mime-gmime and mime-summary") {
  if (!present(root() / "mime-gmime")) return;
  Suite suite("mime-gmime, charsets");
  const fs::path folder = root() / "mime-gmime/filters";
  for (const auto& path : files_below(folder)) {
    const std::string name = path.stem().string();  // "cyrillic.koi8-r".
    const std::size_t dot = name.find('.');
    const fs::path utf8 = folder / (name.substr(0, dot) + ".utf-8.txt");
    if (dot == std::string::npos || !fs::exists(utf8)) continue;
    suite.add(name, to_utf8(read_file(path), name.substr(dot + 1)) == read_file(utf8));
  }
  suite.report();
}

// ---- encodings, pieces, files in texts

TEST_RFC("2045 §6", "encodings of the corpora mime-gmime and mime-mimekit") {
  for (const std::string name : {"mime-gmime/encodings", "mime-mimekit/encoders"}) {
    if (!present(root() / name)) continue;
    Suite suite(name);
    const auto file = [&](const char* one) { return read_file(root() / name / one); };
    const std::string photo = file("photo.jpg");
    suite.add("photo.b64", decode_base64(file("photo.b64")) == photo);
    suite.add("photo.uu", decode_uuencode(file("photo.uu")) == photo);
    // Lines that are almost "begin" stand in front.
    if (fs::exists(root() / name / "photo.uu-states")) {
      suite.add("photo.uu-states", decode_uuencode(file("photo.uu-states")) == photo);
    }
    suite.add("wikipedia.qp",
              without_cr(decode_quoted_printable(file("wikipedia.qp"))) == without_cr(file("wikipedia.txt")));
    suite.report();
  }
}

TEST_RFC("2046 §5.2.2.1", "message/partial of the corpus mime-gmime is put together") {
  const fs::path folder = root() / "mime-gmime/partial";
  if (!present(folder)) return;
  std::vector<std::string> contents;
  for (const auto& path : files_below(folder / "input/photo-discuss")) contents.push_back(read_file(path));
  const std::vector<Bytes> pieces(contents.rbegin(), contents.rend());
  const auto whole = reassembled(pieces);
  REQUIRE(whole);
  const std::string wanted = read_file(folder / "output/photo-discuss");
  const auto got_tree = parse_mime(*whole);
  const auto wanted_tree = parse_mime(wanted);
  REQUIRE(got_tree.parts.size() == wanted_tree.parts.size());
  Suite suite("mime-gmime/partial");
  for (std::size_t i = 0; i < got_tree.parts.size(); ++i) {
    suite.add(std::to_string(i), without_cr(decoded_body(*whole, got_tree.parts[i])) ==
                                     without_cr(decoded_body(wanted, wanted_tree.parts[i])));
  }
  suite.report();
}

TEST_CASE("yEnc of the corpus mime-mimekit") {
  const fs::path folder = root() / "mime-mimekit/yenc";
  if (!present(folder)) return;
  Suite suite("mime-mimekit/yenc");
  for (const auto& path : files_below(folder)) {
    const auto found = find_embedded(read_file(path));
    suite.add(path.filename().string(), found.size() == 1 && found[0].complete);
  }
  suite.report();
}

TEST_CASE("files in the TNEF of the corpus mime-mimekit") {
  const fs::path folder = root() / "mime-mimekit/tnef";
  if (!present(folder)) return;
  Suite names("mime-mimekit/tnef, names");
  Suite contents("mime-mimekit/tnef, contents");
  for (const auto& path : files_below(folder)) {
    if (path.extension() != ".tnef") continue;
    const std::string stem = path.stem().string();
    const auto tnef = parse_tnef(read_file(path));
    REQUIRE(tnef);
    std::multiset<std::string> got;
    for (const auto& file : tnef->files) got.insert(file.name.empty() ? "Untitled Attachment" : file.name);
    std::multiset<std::string> wanted;
    std::ifstream list(folder / (stem + ".list"));
    for (std::string line; std::getline(list, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty() && !line.starts_with("body.")) wanted.insert(line);
    }
    const auto joined = [](const std::multiset<std::string>& set) {
      std::string out;
      for (const auto& one : set) out += one + "|";
      return out;
    };
    names.add(stem, joined(got), joined(wanted));
    if (!fs::exists(folder / stem)) continue;
    for (const auto& file : files_below(folder / stem)) {
      const std::string name = file.filename().string();
      const std::string octets = read_file(file);
      if (name == "message.rtf") {
        contents.add(stem + "/" + name, without_cr(tnef->rtf) == without_cr(octets));
      } else if (name == "message.html") {
        contents.add(stem + "/" + name, without_cr(tnef->html) == without_cr(octets));
      } else if (name == "message.txt") {
        contents.add(stem + "/" + name, without_cr(tnef->text) == without_cr(octets));
      } else {
        // Text lies there without its CRs, and OLE objects with the sixteen octets of their interface in front.
        const bool any = std::ranges::any_of(tnef->files, [&](const TnefFile& one) {
          return one.octets == octets || without_cr(one.octets) == octets ||
                 (octets.size() == one.octets.size() + 16 && octets.ends_with(one.octets));
        });
        contents.add(stem + "/" + name, any);
      }
    }
  }
  names.report();
  contents.report();
}

}  // namespace
}  // namespace facteur::message
