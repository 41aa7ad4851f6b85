// Every message of every corpus: no harm, valid forms and texts, and sections that make the octets again.
#include "corpora_test.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/structure.hpp"
#include "message/text.hpp"

namespace facteur::message {
namespace {

using namespace corpora;

bool balanced(Bytes form) {
  int depth = 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const char c = form[i];
    if (c == '"') {
      for (++i; i < form.size() && form[i] != '"'; ++i) i += form[i] == '\\';
    } else if (c == '{') {
      const std::size_t end = form.find('}', i);
      i = end + 2 + std::strtoul(form.data() + i + 1, nullptr, 10);
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && --depth < 0) {
      return false;
    }
  }
  return depth == 0;
}

constexpr std::string_view prefix = "Return-Path: <>\r\n";

// Walks the tree by part numbers, as a client fetches it, and puts the text together from header, body and what lies
// between: the octets of a delimiter and no others.
class Reassembly {
 public:
  Reassembly(const std::string& whole, const Structure& structure, const PartTree& tree)
      : whole_(whole), structure_(structure), tree_(tree) {}

  void check() {
    const auto header = structure_.section({}, SectionText::header);
    const auto text = structure_.section({}, SectionText::text);
    REQUIRE((header && text));
    CHECK(whole_.substr(header->offset, header->length) + whole_.substr(text->offset, text->length) == whole_);
    walk(0, {});
    CHECK(leaves_ == structure_.leaves().size());
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
      REQUIRE(range);
      CHECK(*range == Range{body, part.body_length});
      return;
    }
    if (part.kind == Part::Kind::message) {
      // The message as a whole is its own part 1, so that a message in a message directly has two numbers.
      std::vector<std::uint32_t> own = numbers;
      const bool whole = part.parent == Part::none || tree_.parts[part.parent].kind == Part::Kind::message;
      if (whole) own.push_back(1);
      const auto range = structure_.section(own, SectionText::all);
      REQUIRE(range);
      const Part& inside = tree_.parts[part.first_child];
      // A header that runs into a delimiter keeps the line end that is the delimiter's too.
      CHECK(range->length <= inside.header_length + inside.body_length);
      CHECK(range->length + 2 >= inside.header_length + inside.body_length);
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
      REQUIRE((mime && all));
      CHECK(mime->offset == inside.header + prefix.size());
      CHECK(mime->offset + mime->length == all->offset);
      CHECK(all->length == inside.body_length);
      // What stands between two parts is one line that begins with "--", and the line end in front of it.
      REQUIRE(inside.header >= at);
      std::string gap = whole_.substr(at + prefix.size(), inside.header - at);
      if (number > 1) {
        if (gap.starts_with('\r')) gap.erase(0, 1);
        if (gap.starts_with('\n')) gap.erase(0, 1);
        CHECK(gap.starts_with("--"));
        CHECK(std::min(gap.find('\n'), gap.size() - 1) == gap.size() - 1);
      }
      at = inside.body + inside.body_length;
      walk(child, own);
    }
    CHECK(at <= part.body + part.body_length + 2);
  }

  const std::string& whole_;
  const Structure& structure_;
  const PartTree& tree_;
  std::size_t leaves_ = 0;
};

void check_message(const std::string& content) {
  const std::string record = make_structure(prefix, content);
  const auto structure = Structure::open(record);
  REQUIRE(structure);
  CHECK(structure->size() == content.size() + prefix.size());
  CHECK(balanced(structure->envelope()));
  CHECK(balanced(structure->bodystructure()));
  CHECK(balanced(structure->body()));
  const auto tree = parse_mime(content);
  for (const Part& part : tree.parts) {
    REQUIRE(part.body + part.body_length <= content.size());
    if (part.kind == Part::Kind::leaf) CHECK(is_utf8(decoded_body_text(content, part)));
  }
  Reassembly(std::string(prefix) + content, *structure, tree).check();
  for (const auto which : {HeaderText::subject, HeaderText::from, HeaderText::to, HeaderText::references}) {
    CHECK(is_utf8(structure->text(which)));
  }
  REQUIRE(structure->preview());
  CHECK(is_utf8(*structure->preview()));
  CHECK(is_utf8(display_text(content, tree)));
  CHECK(is_utf8(searchable_text(content, tree)));
}

TEST_CASE("messages of the corpora: no harm, UTF-8, and sections that make the octets again") {
  for (const auto* name :
       {"mime-jwz/input", "mime4j", "mime-gmime", "mime-mimekit", "mime-mail-parser", "mime-summary", "mime-python",
        "mime-ruby-mail", "header-mail-parser", "eai-arnt", "reports-mail-auth", "reports-parsedmarc", "unit-postfix",
        "rspamd-messages", "bounces-sisimai", "threads-notmuch", "dkim-mail-auth", "html-mimekit"}) {
    const fs::path folder = root() / name;
    if (!present(folder)) continue;
    int files = 0;
    for (const auto& path : files_below(folder)) {
      if (fs::file_size(path) > 4'000'000) continue;
      CAPTURE(path.string());
      check_message(read_file(path));
      ++files;
    }
    MESSAGE(std::string(name) << ": " << files << " files read");
    CHECK(files > 0);
  }
}

}  // namespace
}  // namespace facteur::message
