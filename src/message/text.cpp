#include "message/text.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/embedded.hpp"
#include "message/encoded_word.hpp"
#include "message/enriched.hpp"
#include "message/flowed.hpp"
#include "message/header.hpp"
#include "message/html.hpp"
#include "message/wrapped.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t preview_characters = 200;  // RFC 8970 §3.1.
constexpr std::size_t preview_octets = 32u << 10;

Bytes header_of(Bytes message, const Part& part) {
  return message.substr(std::min<std::size_t>(part.header, message.size()), part.header_length);
}

// A name may not lead anywhere, nor change how a terminal shows it.
std::string safe_name(std::string_view name) {
  std::string out = without_controls(name);
  out.erase(0, std::min(out.find_last_of("/\\") + 1, out.size()));
  std::ranges::replace(out, '\n', '_');
  std::ranges::replace(out, '\t', '_');
  out.resize(cut_at_character(out, 1'024).size());
  return out == "." || out == ".." ? std::string() : std::string(ascii::trimmed(out));
}

// HTML may tell its charset where MIME does not: <meta charset=...>, or content="text/html; charset=...".
std::string charset_of_html(Bytes html) {
  const std::string start = ascii::lower(html.substr(0, 2'048));
  const std::size_t meta = start.find("<meta");
  const std::size_t at = meta == std::string::npos ? meta : start.find("charset=", meta);
  if (at == std::string::npos) return {};
  std::size_t begin = at + 8;
  if (begin < start.size() && (start[begin] == '"' || start[begin] == '\'')) ++begin;
  std::size_t end = begin;
  while (end < start.size() && (ascii::is_alnum(start[end]) || start[end] == '-' || start[end] == '_')) ++end;
  return start.substr(begin, end - begin);
}

bool is_html(const Part& part) { return part.content_type.is("text", "html"); }

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

std::string charset_of_header(Bytes message, const PartTree& tree) {
  if (!tree.ambiguities.has(Ambiguity::eight_bit_header)) return {};
  const Part* first = nullptr;
  for (const Part& part : tree.parts) {
    if (part.content_type.type != "text" || part.kind != Part::Kind::leaf) continue;
    const auto charset = part.content_type.parameter("charset");
    if (charset_decides(charset)) return std::string(charset);
    if (first == nullptr) first = &part;
  }
  return first == nullptr ? std::string()
                          : charset_of_body(decoded_body(message, *first), first->content_type.parameter("charset"));
}

std::string_view cut_at_character(std::string_view utf8, std::size_t octets) {
  if (utf8.size() <= octets) return utf8;
  while (octets > 0 && (static_cast<unsigned char>(utf8[octets]) & 0xc0) == 0x80) --octets;
  return utf8.substr(0, octets);
}

std::string without_controls(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  std::size_t kept = 0;  // Up to here everything is in `out`.
  const auto keep_until = [&](std::size_t end) { out.append(utf8.substr(kept, end - kept)); };
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const char c = utf8[i];
    const bool c1 = c == '\xc2' && i + 1 < utf8.size() && static_cast<unsigned char>(utf8[i + 1]) < 0xa0;
    if (!c1 && (!ascii::is_control(c) || c == '\n' || c == '\t')) continue;
    keep_until(i);
    if (c == '\r' && (i + 1 >= utf8.size() || utf8[i + 1] != '\n')) out += '\n';
    if (c1) ++i;  // C1 controls: terminals obey them.
    kept = i + 1;
  }
  keep_until(utf8.size());
  return out;
}

namespace {

// The text of the first `read` octets of the body.
std::string text_of_start(Bytes body, const Part& part, std::size_t read, std::size_t most) {
  const bool cut = read < body.size();
  std::string octets = decode(body.substr(0, read), part.encoding);
  if (cut) octets.resize(cut_at_character(octets, octets.size() - std::min<std::size_t>(octets.size(), 4)).size());
  std::string charset(part.content_type.parameter("charset"));
  if (charset.empty() && is_html(part)) charset = charset_of_html(octets);
  std::string text = body_to_utf8(octets, charset);
  if (is_html(part)) {
    text = html_to_text(text, most);
  } else if (part.content_type.subtype == "enriched" || part.content_type.subtype == "richtext") {
    text = enriched_to_text(text, most);
  } else if (part.content_type.subtype == "plain" &&
             ascii::equal_ignoring_case(part.content_type.parameter("format"), "flowed")) {
    text = unflowed(text, ascii::equal_ignoring_case(part.content_type.parameter("delsp"), "yes"));
  }
  text = without_controls(text);
  text.resize(cut_at_character(text, most).size());
  return text;
}

bool is_text(const Part& part) { return part.kind == Part::Kind::leaf && part.content_type.type == "text"; }

Bytes body_of(Bytes message, const Part& part) {
  return message.substr(std::min<std::size_t>(part.body, message.size()), part.body_length);
}

}  // namespace

namespace {

std::string text_of_body(Bytes body, const Part& part, std::size_t most) {
  if (!is_text(part)) return {};
  // The decoded text is at most as long as the encoded one; HTML and charsets may make more of less.
  const std::size_t read = most < SIZE_MAX / 8 ? most * 4 + 4'096 : body.size();
  return text_of_start(body, part, read, most);
}

}  // namespace

std::string leaf_text(Bytes message, const Part& part, std::size_t most) {
  return text_of_body(body_of(message, part), part, most);
}

std::string file_name(Bytes header) {
  std::optional<Bytes> disposition;
  std::optional<Bytes> type;
  FieldScanner scanner(header);
  for (Field field; scanner.next(field);) {
    if (!disposition && field.is("Content-Disposition")) disposition = field.value;
    if (!type && field.is("Content-Type")) type = field.value;
  }
  const auto named = [](const Parameters& parameters, std::string_view wanted) {
    for (const auto& [name, value] : parameters) {
      if (name == wanted && !value.empty()) return safe_name(decoded_text(value));
    }
    return std::string();
  };
  // RFC 2183 §2.3 over RFC 2046 §4.5.1: filename counts before name.
  if (disposition) {
    if (auto name = named(decoded_parameters(raw_parameters(*disposition)), "filename"); !name.empty()) return name;
  }
  return type ? named(decoded_parameters(raw_parameters(*type)), "name") : std::string();
}

namespace {

// ---- what is shown

class Shown {
 public:
  Shown(Bytes message, const PartTree& tree) : message_(message), tree_(tree) {}

  std::vector<std::uint32_t> leaves() {
    std::vector<std::uint32_t> out;
    const Part& root = tree_.parts.front();
    collect(root.kind == Part::Kind::message ? root.first_child : 0, out);
    return out;
  }

 private:
  // As deep as max_depth at most.
  void collect(std::uint32_t index, std::vector<std::uint32_t>& out) {
    const Part& part = tree_.parts[index];
    if (part.kind == Part::Kind::leaf) {
      if (is_shown(index)) out.push_back(index);
      return;
    }
    if (part.kind != Part::Kind::multipart) return;
    const std::string_view subtype = part.content_type.subtype;
    if (subtype == "alternative") {
      collect_best(part, out);
    } else if (subtype == "related") {
      if (part.first_child != Part::none) collect(related_root(part), out);
    } else if (subtype == "signed" || subtype == "report" || subtype == "appledouble") {
      if (part.first_child != Part::none) collect(part.first_child, out);
    } else if (subtype != "encrypted") {
      for_children(part, [&](std::uint32_t child) { collect(child, out); });
    }
  }

  template <class Visit>
  void for_children(const Part& part, Visit visit) {
    for (std::uint32_t child = part.first_child; child != Part::none; child = tree_.parts[child].next_sibling) {
      visit(child);
    }
  }

  // RFC 2046 §5.1.4: the last is the best; among those we can show as text, plain text is.
  void collect_best(const Part& part, std::vector<std::uint32_t>& out) {
    std::vector<std::uint32_t> best;
    int best_rank = 0;
    for_children(part, [&](std::uint32_t child) {
      std::vector<std::uint32_t> found;
      collect(child, found);
      const int rank = rank_of(found);
      if (rank > 0 && rank >= best_rank) {
        best = std::move(found);
        best_rank = rank;
      }
    });
    out.insert(out.end(), best.begin(), best.end());
  }

  int rank_of(const std::vector<std::uint32_t>& found) const {
    if (found.empty()) return 0;
    const Part& part = tree_.parts[found.front()];
    const Bytes body = message_.substr(part.body, part.body_length);
    if (blank(body.substr(0, 4'096))) return 1;
    return part.content_type.subtype == "plain" ? 4 : is_html(part) ? 3 : 2;
  }

  // RFC 2387 §3.2: the part that `start` names by its Content-ID, or else the first.
  std::uint32_t related_root(const Part& part) {
    const std::string_view start = part.content_type.parameter("start");
    std::uint32_t root = part.first_child;
    if (start.empty()) return root;
    for_children(part, [&](std::uint32_t child) {
      const auto id = first_field(header_of(message_, tree_.parts[child]), "Content-ID");
      if (id && ascii::trimmed(unfolded(*id)) == start) root = child;
    });
    return root;
  }

  bool is_shown(std::uint32_t index) {
    const Part& part = tree_.parts[index];
    if (part.content_type.type != "text") return false;
    for (const std::string_view hidden : {"calendar", "x-vcard", "vcard", "directory", "rfc822-headers"}) {
      if (part.content_type.subtype == hidden) return false;
    }
    const auto value = first_field(header_of(message_, part), "Content-Disposition");
    const auto disposition = value ? parse_disposition(*value) : std::nullopt;
    return !disposition || disposition->kind != "attachment";
  }

  Bytes message_;
  const PartTree& tree_;
};

void append_block(std::string& out, std::string_view text, std::size_t most) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty() || out.size() >= most) return;
  if (!out.empty()) out.append("\n\n");
  out.append(cut_at_character(text, most - std::min(most, out.size())));
}

void append_header_texts(std::string& out, Bytes header, std::size_t most) {
  FieldScanner scanner(header);
  for (Field field; scanner.next(field) && out.size() < most;) {
    for (const std::string_view name : {"Subject", "From", "To", "Cc"}) {
      if (!field.is(name)) continue;
      out.append(out.empty() ? "" : "\n").append(decoded_text(field.value.substr(0, 8'192)));
    }
  }
}

// One line of at most 200 characters from lines that are no quotes; `quotes`: from all.
std::string preview_of(std::string_view text, bool quotes) {
  std::string out;
  std::size_t characters = 0;
  while (!text.empty() && characters < preview_characters) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line == "-- ") break;
    if (line.starts_with('>') && !quotes) continue;
    bool gap = !out.empty();
    for (std::size_t i = quotes ? std::min(line.find_first_not_of("> "), line.size()) : 0;
         i < line.size() && characters < preview_characters; ++i) {
      if (line[i] == ' ' || line[i] == '\t') {
        gap = !out.empty();
        continue;
      }
      const bool starts = (static_cast<unsigned char>(line[i]) & 0xc0) != 0x80;
      if (starts && gap) {
        out += ' ';
        ++characters;
        gap = false;
      }
      out += line[i];
      if (starts) ++characters;
      // The octets behind the first of a character belong to it.
      while (i + 1 < line.size() && (static_cast<unsigned char>(line[i + 1]) & 0xc0) == 0x80) out += line[++i];
    }
  }
  return out;
}

}  // namespace

std::vector<std::uint32_t> shown_leaves(Bytes message, const PartTree& tree) { return Shown(message, tree).leaves(); }

namespace {

// The text of the first winmail.dat: the message itself, where a mail program of Outlook's wrote it so only.
std::string wrapped_text(Bytes message, const PartTree& tree, std::size_t most) {
  for (const Part& part : tree.parts) {
    const bool inside = part.kind == Part::Kind::message && &part != tree.parts.data();
    if (inside) break;
    if (part.kind != Part::Kind::leaf || !says_tnef(part, file_name(header_of(message, part)))) continue;
    return tnef_text(decoded_body(message, part), most);
  }
  return {};
}

}  // namespace

std::string display_text(Bytes message, const PartTree& tree, std::size_t most) {
  std::string out;
  for (const std::uint32_t index : shown_leaves(message, tree)) {
    if (out.size() >= most) break;
    append_block(out, without_embedded(leaf_text(message, tree.parts[index], most - out.size()), false), most);
  }
  if (blank(out)) out = wrapped_text(message, tree, most);
  if (!out.empty()) out += '\n';
  return out;
}

std::string searchable_text(Bytes message, const PartTree& tree, std::size_t most) {
  std::string out;
  for (const Part& part : tree.parts) {
    if (out.size() >= most) break;
    const bool inside = part.parent != Part::none && tree.parts[part.parent].kind == Part::Kind::message;
    if (inside) append_header_texts(out, header_of(message, part), most);
    if (part.kind != Part::Kind::leaf) continue;
    const std::string name = file_name(header_of(message, part));
    append_block(out, name, most);
    append_block(out, searchable_leaf(part, name, body_of(message, part), most - std::min(most, out.size())), most);
  }
  return out;
}

std::string searchable_leaf(const Part& leaf, std::string_view name, Bytes body, std::size_t most) {
  if (says_tnef(leaf, name)) return tnef_searchable(decode(body, leaf.encoding), most);
  if (leaf.kind == Part::Kind::leaf && leaf.content_type.type == "message") {
    // Reports (RFC 3464, RFC 8098, RFC 5965), pieces (RFC 2046 §5.2.2) and what was encoded against §5.2.1: fields.
    Part plain;
    plain.encoding = leaf.encoding;
    return text_of_body(body, plain, most);
  }
  return without_embedded(text_of_body(body, leaf, most), true);
}

bool searchable_as_it_is(const Part& leaf, Bytes body) {
  if (!leaf.content_type.is("text", "plain") || !leaf.content_type.parameter("format").empty()) return false;
  if (leaf.encoding > Encoding::binary) return false;
  const auto charset = leaf.content_type.parameter("charset");
  constexpr std::array<std::string_view, 5> like_ascii = {"", "us-ascii", "utf-8", "iso-8859-1", "windows-1252"};
  if (std::ranges::none_of(like_ascii, [&](auto one) { return ascii::equal_ignoring_case(one, charset); }))
    return false;
  // Without a way out of the loops they look at many octets at once.
  const auto plain = [](unsigned char c) { return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n'; };
  const auto is = [](char c, char wanted) { return static_cast<unsigned char>(c == wanted); };
  unsigned char other = 0;
  for (const char c : body) {
    other = static_cast<unsigned char>(other | static_cast<unsigned char>(!plain(static_cast<unsigned char>(c))));
  }
  // A CR alone becomes a line end, and what begins behind it may be a file.
  const char* const octets = body.data();
  for (std::size_t i = 1; i < body.size(); ++i) {
    other = static_cast<unsigned char>(other | (is(octets[i - 1], '\r') > is(octets[i], '\n')));
  }
  return other == 0 && !has_embedded(body);
}

std::string preview(Bytes message, const PartTree& tree) {
  std::string quoted;
  for (const std::uint32_t index : shown_leaves(message, tree)) {
    const Part& part = tree.parts[index];
    const Bytes body = body_of(message, part);
    // The beginning is nearly always enough; more is read only if it was not.
    for (std::size_t read = is_html(part) ? 8'192 : 1'024; is_text(part); read = preview_octets) {
      const std::string text = text_of_start(body, part, read, preview_octets);
      const std::string line = preview_of(text, false);
      const bool all = read >= body.size() || read >= preview_octets;
      if (!line.empty() && (all || line.size() >= preview_characters)) return line;
      if (!all) continue;
      if (quoted.empty()) quoted = preview_of(text, true);
      break;
    }
  }
  return quoted;
}

}  // namespace facteur::message
