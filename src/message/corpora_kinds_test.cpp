// The corpora mime-ruby-mail and mime-python come without results. What the names of their folders and files say is
// checked here, what other readers read in them by tests/conformance/message_readers.py, and that all their files are
// kept octet for octet by corpora_store_test.cpp.
#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "corpora_test.hpp"
#include "message/address.hpp"
#include "message/encoded_word.hpp"
#include "message/file_type.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/report_reader.hpp"
#include "message/structure.hpp"
#include "message/text.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD: what could not be read.

bool has_attachment(const std::string& content) {
  const std::string record = make_structure({}, content);
  const auto structure = Structure::open(record);
  return structure && structure->has_attachment();
}

// Subject, names and text, all of whose characters are known.
bool is_readable(const std::string& content) {
  std::string all = display_text(content, parse_mime(content));
  for (const auto* name : {"Subject", "From", "To"}) all += decoded_text(first_field(content, name).value_or(Bytes()));
  for (const Part& part : parse_mime(content).parts) {
    all += file_name(Bytes(content).substr(part.header, part.header_length));
  }
  return all.find(replacement) == std::string::npos && all.find("=?") == std::string::npos &&
         std::ranges::any_of(all, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

bool has_sender(const std::string& content) {
  const auto from = first_mailbox(first_field(content, "From").value_or(Bytes()));
  return from.has_value();
}

TEST_RFC("2046 §5.1", "messages of the corpus mime-ruby-mail are what their folders are called") {
  const fs::path folder = root() / "mime-ruby-mail";
  if (!present(folder)) return;
  Suite suite("mime-ruby-mail/kinds");
  for (const auto& path : files_below(folder)) {
    const std::string kind = path.parent_path().filename().string();
    const std::string content = read_file(path);
    const auto tree = parse_mime(content);
    const std::string id = kind + "/" + path.filename().string();
    if (kind == "attachment_emails") suite.add(id, has_attachment(content), "no attachment", "an attachment");
    if (kind == "mime_emails") suite.add(id, tree.parts.size() > 1, "one part", "parts");
    if (kind == "plain_emails") suite.add(id, tree.parts.size() == 1, "parts", "one part");
    if (kind == "multi_charset") suite.add(id, is_readable(content), "damaged", "text of many charsets");
    if (kind == "multipart_report_emails") suite.add(id, name_of(read_report(content).kind), "delivery");
    if (kind == "rfc2822") suite.add(id, has_sender(content), "no sender", "a sender");
  }
  suite.report();
}

// Python's tests tell the types of these files by their octets, and we by their names; both take them as attachments.
TEST_RFC("2046 §4", "files of the corpus mime-python are attachments of the types that their names say") {
  const fs::path folder = root() / "mime-python";
  if (!present(folder)) return;
  Suite suite("mime-python/files");
  for (const auto& path : files_below(folder)) {
    const std::string extension = path.extension().string();
    if (extension == ".txt") continue;
    const std::string octets = read_file(path);
    const std::string name = path.filename().string();
    const std::string type(file_type(name));
    const bool sound = extension == ".au" || extension == ".wav";
    suite.add(name + "/type", type.substr(0, type.find('/')), sound ? "audio" : "image");
    const std::string message = "Content-Type: " + type + "; name=" + name +
                                "\r\nContent-Transfer-Encoding: base64\r\nMIME-Version: 1.0\r\n\r\n" +
                                to_base64(octets) + "\r\n";
    const auto tree = parse_mime(message);
    suite.add(name + "/octets", decoded_body(message, tree.parts[0]) == octets);
  }
  suite.report();
}

}  // namespace
}  // namespace facteur::message
