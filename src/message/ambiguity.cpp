// The cases of ambiguity.hpp that need more than the header of a part: parameters, names of files, bodies.
#include "message/ambiguity.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "message/embedded.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/part_header.hpp"

namespace facteur::message {
namespace {

constexpr std::array<std::string_view, ambiguity_count> names = {"two_boundaries",
                                                                 "boundary_blank",
                                                                 "boundary_damaged",
                                                                 "boundary_prefix",
                                                                 "boundary_repeated",
                                                                 "no_final_delimiter",
                                                                 "closed_from_outside",
                                                                 "two_types",
                                                                 "type_damaged",
                                                                 "type_comment",
                                                                 "two_encodings",
                                                                 "encoding_damaged",
                                                                 "encoding_unknown",
                                                                 "encoding_of_multipart",
                                                                 "base64_damaged",
                                                                 "embedded_file",
                                                                 "name_conflict",
                                                                 "parameter_repeated",
                                                                 "parameter_charset",
                                                                 "header_behind_blank",
                                                                 "line_of_no_field",
                                                                 "fold_in_token",
                                                                 "bare_cr",
                                                                 "nul",
                                                                 "eight_bit_header",
                                                                 "byte_order_mark",
                                                                 "preamble",
                                                                 "epilogue",
                                                                 "partial",
                                                                 "external_body",
                                                                 "limit"};

// "filename*0*" is "filename".
std::string_view base_name(std::string_view name) { return name.substr(0, name.find('*')); }

bool starts_like_field(Bytes line) {
  return ascii::starts_with_ignoring_case(line, "Content-") || ascii::starts_with_ignoring_case(line, "MIME-Version:");
}

// Whether some line looks as if a part, or a file, began there.
bool looks_like_parts(Bytes text) {
  while (!text.empty()) {
    if (starts_like_field(text) || text.starts_with("begin 6")) return true;
    const std::size_t end = text.find('\n');
    if (end == Bytes::npos) return false;
    text.remove_prefix(end + 1);
  }
  return false;
}

// RFC 2045 §6.8: lines of the alphabet, padding once, at the end.
bool base64_is_damaged(Bytes text) {
  static constexpr auto allowed = [] {
    std::array<bool, 256> table{};
    for (int c = 0; c < 256; ++c) {
      const char letter = static_cast<char>(c);
      table[static_cast<std::size_t>(c)] =
          ascii::is_alnum(letter) || letter == '+' || letter == '/' || letter == '\r' || letter == '\n';
    }
    return table;
  }();
  std::size_t at = 0;
  while (at < text.size() && allowed[static_cast<unsigned char>(text[at])]) ++at;
  // Blanks at the end of lines are left by gateways: only at the end of the text are they passed over here.
  std::size_t padding = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '=') {
      ++padding;
    } else if (text[at] != '\r' && text[at] != '\n' && text[at] != ' ' && text[at] != '\t') {
      return true;
    }
  }
  return padding > 2;
}

class Finder {
 public:
  Finder(Bytes message, const PartTree& tree) : message_(message), tree_(tree), marks_(tree.ambiguities) {}

  Ambiguities find() {
    const bool multipart =
        std::ranges::any_of(tree_.parts, [](const Part& part) { return part.kind == Part::Kind::multipart; });
    // A delimiter for those whose lines end with CR alone.
    if (multipart && message_.find("\r--") != Bytes::npos) marks_.add(Ambiguity::bare_cr);
    for (const Part& part : tree_.parts) {
      if (part.kind == Part::Kind::multipart) look_around(part);
      if (part.kind == Part::Kind::leaf) look_inside(part);
      look_at_names(message_.substr(part.header, part.header_length));
    }
    return marks_;
  }

 private:
  void look_around(const Part& part) {
    if (part.first_child == Part::none) return;
    const std::uint64_t first = tree_.parts[part.first_child].header;
    if (looks_like_parts(message_.substr(part.body, first - part.body))) marks_.add(Ambiguity::preamble);
    std::uint32_t last = part.first_child;
    while (tree_.parts[last].next_sibling != Part::none) last = tree_.parts[last].next_sibling;
    const std::uint64_t end = tree_.parts[last].body + tree_.parts[last].body_length;
    const std::uint64_t whole = part.body + part.body_length;
    if (end < whole && looks_like_parts(message_.substr(end, whole - end))) marks_.add(Ambiguity::epilogue);
  }

  void look_inside(const Part& part) {
    const Bytes body = message_.substr(part.body, part.body_length);
    if (part.encoding == Encoding::base64 && base64_is_damaged(body)) marks_.add(Ambiguity::base64_damaged);
    // Fields behind the blank line: a reader that skips blank lines in front of fields sees them.
    const std::size_t start = std::min(body.find_first_not_of("\r\n"), body.size());
    if (starts_like_field(body.substr(start, 32))) marks_.add(Ambiguity::header_behind_blank);
    const bool text = part.content_type.type == "text";
    if (text && part.encoding != Encoding::base64 && has_embedded(body)) marks_.add(Ambiguity::embedded_file);
  }

  // RFC 2183 §2.3 against RFC 2231 and the old `name`.
  void look_at_names(Bytes header) {
    std::optional<std::string> found;
    const auto compare = [&](Bytes value, std::string_view wanted) {
      std::vector<std::pair<std::string, std::string>> pieces;
      for (auto& entry : raw_parameters(value)) {
        if (base_name(entry.first) != wanted) continue;
        if (entry.first.find('*') != std::string::npos) {
          // RFC 2231 §3: each number once.
          const bool twice = std::ranges::any_of(
              pieces, [&](const auto& one) { return one.first == entry.first && one.second != entry.second; });
          if (twice) marks_.add(Ambiguity::parameter_repeated);
          if (pieces.size() < 100) pieces.push_back(std::move(entry));
          continue;
        }
        if (found && *found != entry.second) marks_.add(Ambiguity::name_conflict);
        found = std::move(entry.second);
      }
      for (auto& entry : decoded_parameters(raw_parameters(value))) {
        if (entry.first != wanted) continue;
        if (found && *found != entry.second) marks_.add(Ambiguity::name_conflict);
        found = std::move(entry.second);
      }
    };
    FieldScanner scanner(header);
    for (Field field; scanner.next(field);) {
      if (field.name.size() < 12 || ascii::to_lower(field.name[0]) != 'c') continue;
      if (field.is("Content-Disposition")) compare(field.value, "filename");
      if (field.is("Content-Type")) compare(field.value, "name");
    }
  }

  Bytes message_;
  const PartTree& tree_;
  Ambiguities marks_;
};

}  // namespace

std::string_view name_of(Ambiguity which) { return names[static_cast<std::size_t>(which)]; }

std::string Ambiguities::text() const {
  std::string out;
  for (std::size_t i = 0; i < ambiguity_count; ++i) {
    if (!has(static_cast<Ambiguity>(i))) continue;
    if (!out.empty()) out.append(", ");
    out.append(names[i]);
  }
  return out;
}

void mark_parameters(const Parameters& raw, Ambiguities& marks) {
  for (std::size_t i = 0; i < raw.size() && i < 100; ++i) {
    const auto& [name, value] = raw[i];
    // RFC 2231 §4: a charset whose ASCII is not ASCII hides a name from whoever reads octets.
    if (name.ends_with('*') &&
        (ascii::starts_with_ignoring_case(value, "utf-16") || ascii::starts_with_ignoring_case(value, "utf-7") ||
         ascii::starts_with_ignoring_case(value, "utf-32"))) {
      marks.add(Ambiguity::parameter_charset);
    }
    for (std::size_t k = 0; k < i; ++k) {
      const auto& [other, other_value] = raw[k];
      if (base_name(name) != base_name(other) || value == other_value) continue;
      const bool pieces = name != other && name.find('*') != std::string::npos && other.find('*') != std::string::npos;
      if (pieces) continue;
      marks.add(base_name(name) == "boundary" ? Ambiguity::two_boundaries : Ambiguity::parameter_repeated);
    }
  }
}

Ambiguities find_ambiguities(Bytes message, const PartTree& tree) { return Finder(message, tree).find(); }

}  // namespace facteur::message
