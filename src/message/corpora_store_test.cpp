// Every message of every corpus: no harm, valid forms and texts, and sections that make the octets again.
#include <algorithm>

#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/structure.hpp"
#include "message/text.hpp"

namespace facteur::message {
namespace {

using namespace corpora;

// A value of IMAP (RFC 9051 §4): a string, an atom, or a list.
struct Value {
  bool list = false;
  std::string text;
  std::vector<Value> items;
};

// The list that begins at `at`, which is left behind it; nullopt if it does not end.
std::optional<Value> read_list(Bytes form, std::size_t& at) {
  std::vector<Value> open;
  while (at < form.size()) {
    const char c = form[at++];
    Value value;
    if (c == ' ') continue;
    if (c == '(') {
      open.push_back({.list = true, .text = {}, .items = {}});
      continue;
    }
    if (open.empty()) return std::nullopt;
    if (c == ')') {
      value = std::move(open.back());
      open.pop_back();
      if (open.empty()) return value;
    } else if (c == '"') {
      for (; at < form.size() && form[at] != '"'; ++at) {
        at += form[at] == '\\';
        value.text += form.substr(at, 1);
      }
      ++at;
    } else if (c == '{') {
      const std::size_t start = form.find('}', at) + 3;
      const std::size_t length = std::strtoul(form.data() + at, nullptr, 10);
      if (start + length > form.size()) return std::nullopt;
      value.text = form.substr(start, length);
      at = start + length;
    } else {
      const std::size_t end = std::min(form.find_first_of(" ()", at), form.size());
      value.text = form.substr(at - 1, end - at + 1);
      at = end;
    }
    open.back().items.push_back(std::move(value));
  }
  return std::nullopt;
}

std::optional<Value> whole_list(Bytes form) {
  std::size_t at = 0;
  auto value = read_list(form, at);
  return at == form.size() ? value : std::nullopt;
}

// RFC 9051 §7.5.2: leaves of a BODY or BODYSTRUCTURE.
int leaves_of(const Value& body) {
  if (body.items.empty()) return 0;
  int count = 0;
  if (body.items[0].list) {
    for (const Value& part : body.items) {
      if (!part.list) break;
      count += leaves_of(part);
    }
    return count;
  }
  const bool message = ascii::lower(body.items[0].text) == "message" && body.items.size() > 8 && body.items[8].list;
  return message ? leaves_of(body.items[8]) : 1;
}

// What is not as it must be, in words; empty for a message that is read as it must be.
class Wants {
 public:
  void want(bool good, std::string_view what) {
    if (!good && missing_.find(what) == std::string::npos) missing_.append(missing_.empty() ? "" : ", ").append(what);
  }
  const std::string& missing() const { return missing_; }

 private:
  std::string missing_;
};

constexpr std::string_view prefix = "Return-Path: <>\r\n";

// Walks the tree by part numbers, as a client fetches it, and puts the text together from header, body and what lies
// between: the octets of a delimiter and no others.
class Reassembly {
 public:
  Reassembly(const std::string& whole, const Structure& structure, const PartTree& tree, Wants& wants)
      : whole_(whole), structure_(structure), tree_(tree), wants_(wants) {}

  void check() {
    const auto header = structure_.section({}, SectionText::header);
    const auto text = structure_.section({}, SectionText::text);
    wants_.want(header && text, "header and text");
    if (!header || !text) return;
    wants_.want(whole_.substr(header->offset, header->length) + whole_.substr(text->offset, text->length) == whole_,
                "header and text make the octets");
    walk(0, {});
    const auto entities = structure_.entities();
    wants_.want(leaves_ == static_cast<std::size_t>(std::ranges::count_if(entities, &Structure::Entity::leaf)),
                "number of leaves");
  }

 private:
  // `numbers`: of the body of this part.
  void walk(std::uint32_t index, const std::vector<std::uint32_t>& numbers) {
    const Part& part = tree_.parts[index];
    const std::uint64_t body = part.body + prefix.size();
    if (part.kind == Part::Kind::leaf) {
      ++leaves_;
      std::vector<std::uint32_t> own = numbers;
      const bool whole = part.parent == Part::none || tree_.parts[part.parent].kind == Part::Kind::message;
      if (whole) own.push_back(1);
      const auto range = structure_.section(own, SectionText::all);
      wants_.want(range && *range == Range{body, part.body_length}, "body of a leaf");
      return;
    }
    if (part.kind == Part::Kind::message) {
      // The message as a whole is its own part 1, so that a message in a message directly has two numbers.
      std::vector<std::uint32_t> own = numbers;
      const bool whole = part.parent == Part::none || tree_.parts[part.parent].kind == Part::Kind::message;
      if (whole) own.push_back(1);
      const auto range = structure_.section(own, SectionText::all);
      const Part& inside = tree_.parts[part.first_child];
      const std::uint64_t length = inside.header_length + inside.body_length;
      // A header that runs into a delimiter keeps the line end that is the delimiter's too.
      wants_.want(range && range->length <= length && range->length + 2 >= length, "a message inside");
      walk(part.first_child, own);
      return;
    }
    std::uint64_t at = part.body;
    std::uint32_t number = 0;
    for (std::uint32_t child = part.first_child; child != Part::none; child = tree_.parts[child].next_sibling) {
      std::vector<std::uint32_t> own = numbers;
      own.push_back(++number);
      const Part& inside = tree_.parts[child];
      const auto mime = structure_.section(own, SectionText::mime);
      const auto all = structure_.section(own, SectionText::all);
      wants_.want(mime && all && mime->offset == inside.header + prefix.size() &&
                      mime->offset + mime->length == all->offset && all->length == inside.body_length,
                  "header and body of a part");
      // What stands between two parts is one line that begins with "--", and the line end in front of it.
      wants_.want(inside.header >= at, "parts in their order");
      if (inside.header < at) return;
      std::string gap = whole_.substr(at + prefix.size(), inside.header - at);
      if (number > 1) {
        if (gap.starts_with('\r')) gap.erase(0, 1);
        if (gap.starts_with('\n')) gap.erase(0, 1);
        wants_.want(gap.starts_with("--") && std::min(gap.find('\n'), gap.size() - 1) == gap.size() - 1,
                    "one delimiter between two parts");
      }
      at = inside.body + inside.body_length;
      walk(child, own);
    }
    wants_.want(at <= part.body + part.body_length + 2, "the end of a multipart");
  }

  const std::string& whole_;
  const Structure& structure_;
  const PartTree& tree_;
  Wants& wants_;
  std::size_t leaves_ = 0;
};

// What FORMATS.md wants of messages without expectations, and more: see docs/message-corpora.md.
std::string missing_in(const std::string& content) {
  Wants wants;
  const std::string record = make_structure(prefix, content);
  const auto structure = Structure::open(record);
  if (!structure) return "a record";
  wants.want(structure->size() == content.size() + prefix.size(), "size");
  const auto tree = parse_mime(content);
  int leaves = 0;
  for (const Part& part : tree.parts) {
    if (part.body + part.body_length > content.size()) return "parts within the message";
    // A multipart without parts is shown to clients as one part (RFC 9051 §9 wants one at least).
    leaves += part.first_child == Part::none;
    if (part.kind == Part::Kind::leaf) wants.want(is_utf8(decoded_body_text(content, part)), "texts in UTF-8");
  }
  wants.want(whole_list(structure->envelope()).has_value(), "ENVELOPE");
  for (const Bytes form : {structure->bodystructure(), structure->body()}) {
    const auto body = whole_list(form);
    wants.want(body && leaves_of(*body) == leaves, "as many parts in BODYSTRUCTURE as were found");
  }
  Reassembly(std::string(prefix) + content, *structure, tree, wants).check();
  for (const auto which : {HeaderText::subject, HeaderText::from, HeaderText::to, HeaderText::references}) {
    wants.want(is_utf8(structure->text(which)), "fields in UTF-8");
  }
  wants.want(structure->preview() && is_utf8(*structure->preview()), "a preview in UTF-8");
  wants.want(is_utf8(display_text(content, tree)), "the text shown in UTF-8");
  wants.want(is_utf8(searchable_text(content, tree)), "the text searched in UTF-8");
  return wants.missing();
}

TEST_CASE("messages of the corpora: no harm, UTF-8, and sections that make the octets again") {
  for (const std::string name : {"mime-jwz",           "mime4j",
                                 "mime-gmime",         "mime-mimekit",
                                 "mime-mail-parser",   "mime-summary",
                                 "mime-python",        "mime-ruby-mail",
                                 "header-mail-parser", "header-jakarta",
                                 "address-isemail",    "mbox-mimekit",
                                 "eai-arnt",           "reports-mail-auth",
                                 "reports-parsedmarc", "unit-postfix",
                                 "rspamd-messages",    "bounces-sisimai",
                                 "threads-notmuch",    "dkim-mail-auth",
                                 "html-mimekit",       "smtp-data-stalwart"}) {
    const fs::path folder = root() / name;
    if (!present(folder)) continue;
    Suite suite(name + "/stored");
    for (const auto& path : files_below(folder)) {
      suite.add(fs::relative(path, folder).string(), missing_in(read_file(path)), "");
    }
    suite.report();
  }
}

}  // namespace
}  // namespace facteur::message
