// The tree of parts in one pass over the lines: a stack of open multiparts, and no recursion.
#include "message/mime.hpp"

#include <algorithm>
#include <cstring>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/part_header.hpp"
#include "message/part_number.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t max_boundary = 8'192;

class TreeBuilder {
 public:
  explicit TreeBuilder(Bytes text) : text_(text) {}
  PartTree build();

 private:
  struct Open {
    std::uint32_t part;
    std::string boundary;
  };
  struct Delimiter {
    std::size_t level;  // Index in open_.
    bool closing;
    bool exact = true;  // Nothing but blanks behind it.
  };

  std::uint32_t add_part(std::uint32_t parent);
  void read_header(std::uint32_t index);
  bool opens_children(std::uint32_t index);
  void mark_boundary(Bytes written);
  void mark(Ambiguity which) { tree_.ambiguities.add(which); }
  bool next_part();
  std::optional<Delimiter> delimiter(Bytes line) const;
  void close_to(std::uint32_t container, std::size_t line_start);
  void finish_at_end(std::uint32_t from);
  Bytes line_at(std::size_t at) const;

  Bytes text_;
  PartTree tree_;
  std::vector<Open> open_;
  std::vector<std::uint32_t> last_child_;  // By part.
  std::vector<std::uint32_t> body_lines_;  // Line ends before the body, by part.
  std::uint32_t current_ = 0;
  std::size_t at_ = 0;
  std::uint32_t lines_ = 0;  // Line ends before at_.
};

Bytes TreeBuilder::line_at(std::size_t at) const {
  const void* end = std::memchr(text_.data() + at, '\n', text_.size() - at);
  return end ? text_.substr(at, static_cast<std::size_t>(static_cast<const char*>(end) - text_.data()) + 1 - at)
             : text_.substr(at);
}

std::uint32_t TreeBuilder::add_part(std::uint32_t parent) {
  const auto index = static_cast<std::uint32_t>(tree_.parts.size());
  Part part;
  part.parent = parent;
  part.header = at_;
  if (parent != Part::none) {
    auto& above = tree_.parts[parent];
    part.depth = static_cast<std::uint16_t>(above.depth + 1);
    ++above.children;
    if (above.first_child == Part::none) {
      above.first_child = index;
    } else {
      tree_.parts[last_child_[parent]].next_sibling = index;
    }
    last_child_[parent] = index;
  }
  tree_.parts.push_back(std::move(part));
  last_child_.push_back(Part::none);
  body_lines_.push_back(0);
  return index;
}

// RFC 2046 §5.1.1: "--" boundary ["--"], then nothing, or a blank and anything. Inner boundaries are looked at first;
// one of an outer multipart ends the inner ones, whose closing line is missing.
std::optional<TreeBuilder::Delimiter> TreeBuilder::delimiter(Bytes line) const {
  if (open_.empty() || !line.starts_with("--")) return std::nullopt;
  line.remove_prefix(2);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || ascii::is_space(line.back()))) {
    line.remove_suffix(1);
  }
  std::optional<Delimiter> followed;  // By a blank and something else: §5.1.1, note to implementors.
  for (std::size_t level = open_.size(); level-- > 0;) {
    const std::string& boundary = open_[level].boundary;
    if (!line.starts_with(boundary)) continue;
    const Bytes rest = line.substr(boundary.size());
    if (rest.empty()) return Delimiter{level, false};
    if (rest == "--") return Delimiter{level, true};
    if (followed) continue;
    if (ascii::is_space(rest[0])) followed = Delimiter{level, false, false};
    if (rest.size() > 2 && rest.starts_with("--") && ascii::is_space(rest[2])) followed = Delimiter{level, true, false};
  }
  return followed;
}

// Reads the header at at_; leaves at_ at the body, or at a delimiter that came too early.
void TreeBuilder::read_header(std::uint32_t index) {
  const std::size_t start = at_;
  while (at_ < text_.size()) {
    const Bytes line = line_at(at_);
    if (delimiter(line)) break;
    at_ += line.size();
    lines_ += line.ends_with('\n');
    if (line == "\r\n" || line == "\n") break;
  }
  auto& part = tree_.parts[index];
  part.header_length = at_ - start;
  part.body = at_;
  body_lines_[index] = lines_;
  const bool digest = part.parent != Part::none && tree_.parts[part.parent].kind == Part::Kind::multipart &&
                      tree_.parts[part.parent].content_type.subtype == "digest";
  interpret_header(part, text_.substr(start, at_ - start), digest, tree_.ambiguities);
}

// RFC 2046 §5.1.1: 1 to 70 characters of bchars, not ending with a space.
void TreeBuilder::mark_boundary(Bytes written) {
  const auto is_bchar = [](char c) {
    return ascii::is_alnum(c) || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  };
  if (!written.empty() && ascii::is_space(written.back())) mark(Ambiguity::boundary_blank);
  while (!written.empty() && ascii::is_space(written.back())) written.remove_suffix(1);
  if (written.empty() || written.size() > 70 || !std::ranges::all_of(written, is_bchar)) {
    mark(Ambiguity::boundary_damaged);
  }
  for (const Open& other : open_) {
    if (other.boundary == written) {
      mark(Ambiguity::boundary_repeated);
    } else if (written.starts_with(other.boundary) || other.boundary.starts_with(written)) {
      mark(Ambiguity::boundary_prefix);
    }
  }
}

// Whether parts follow inside; sets the kind.
bool TreeBuilder::opens_children(std::uint32_t index) {
  auto& part = tree_.parts[index];
  const bool room = part.depth + 1u < max_depth && tree_.parts.size() + 1 < max_parts;
  const bool identity =
      part.encoding == Encoding::seven_bit || part.encoding == Encoding::eight_bit || part.encoding == Encoding::binary;
  if (part.content_type.type == "multipart") {
    std::string_view boundary = part.content_type.parameter("boundary");
    while (!boundary.empty() && ascii::is_space(boundary.back())) boundary.remove_suffix(1);
    mark_boundary(part.content_type.parameter("boundary"));
    if (!identity) mark(Ambiguity::encoding_of_multipart);  // RFC 2045 §6.4: forbidden, and not obeyed here.
    if (boundary.empty() || boundary.size() > max_boundary) {
      part.kind = Part::Kind::multipart;  // Without parts that could be found.
      return false;
    }
    if (!room) {
      tree_.truncated = true;
      return false;
    }
    part.kind = Part::Kind::multipart;
    open_.push_back({index, std::string(boundary)});
    return true;
  }
  // RFC 2046 §5.2.1: only identity encodings are allowed; an encoded message stays a leaf.
  if (part.content_type.is("message", "rfc822") || part.content_type.is("message", "global")) {
    if (!identity) {
      mark(Ambiguity::encoding_of_multipart);
      return false;
    }
    if (!room) {
      tree_.truncated = true;
      return false;
    }
    part.kind = Part::Kind::message;
    return true;
  }
  return false;
}

// Ends all parts from the current one up to, not including, `container`, at the delimiter that starts at `line_start`.
void TreeBuilder::close_to(std::uint32_t container, std::size_t line_start) {
  // RFC 2046 §5.1.1: the line end in front of the delimiter belongs to it.
  std::size_t end = line_start;
  if (end > 0 && text_[end - 1] == '\n') --end;
  if (end > 0 && end < line_start && text_[end - 1] == '\r') --end;
  for (std::uint32_t index = current_; index != container; index = tree_.parts[index].parent) {
    auto& part = tree_.parts[index];
    const std::uint32_t ends = lines_ - body_lines_[index];
    part.body_length = end > part.body ? end - part.body : 0;
    const bool open_line = part.body_length > 0 && text_[end - 1] != '\n';
    part.lines = (ends > 0 ? ends - 1 : 0) + (open_line ? 1 : 0);
  }
}

void TreeBuilder::finish_at_end(std::uint32_t from) {
  for (std::uint32_t index = from; index != Part::none; index = tree_.parts[index].parent) {
    auto& part = tree_.parts[index];
    part.body_length = text_.size() - part.body;
    const bool open_line = part.body_length > 0 && text_.back() != '\n';
    part.lines = lines_ - body_lines_[index] + (open_line ? 1 : 0);
  }
}

// Passes over lines up to a delimiter that begins a part; false at the end of the text.
bool TreeBuilder::next_part() {
  if (open_.empty()) {  // No delimiter can come: only the lines are counted.
    const Bytes rest = text_.substr(at_);
    lines_ += static_cast<std::uint32_t>(std::ranges::count(rest, '\n'));
    at_ = text_.size();
    return false;
  }
  while (at_ < text_.size()) {
    const Bytes line = line_at(at_);
    const bool dashes = line.starts_with("--");
    // A reader for whom CR alone ends a line may see another delimiter, or one where there is none.
    const std::size_t cr = dashes ? line.find('\r') : Bytes::npos;
    if (cr != Bytes::npos && cr + 2 < line.size()) mark(Ambiguity::bare_cr);
    const auto found = dashes ? delimiter(line) : std::nullopt;
    if (found) {
      const std::uint32_t container = open_[found->level].part;
      if (found->level + 1 < open_.size()) mark(Ambiguity::closed_from_outside);
      if (!found->exact) mark(Ambiguity::boundary_prefix);
      close_to(container, at_);
      current_ = container;
      open_.resize(found->level + (found->closing ? 0 : 1));
    }
    at_ += line.size();
    lines_ += line.ends_with('\n');
    if (found && !found->closing) {
      current_ = add_part(current_);
      return true;
    }
    if (open_.empty()) return next_part();
  }
  return false;
}

PartTree TreeBuilder::build() {
  add_part(Part::none);
  if (text_.starts_with(byte_order_mark)) mark(Ambiguity::byte_order_mark);
  do {
    read_header(current_);
    while (opens_children(current_) && tree_.parts[current_].kind == Part::Kind::message) {
      current_ = add_part(current_);
      read_header(current_);
    }
    if (tree_.parts.size() >= max_parts) {
      // The limit: the last part holds all the rest, unread.
      tree_.truncated = true;
      open_.clear();
    }
  } while (next_part());
  if (tree_.truncated) {
    mark(Ambiguity::limit);
  } else if (!open_.empty()) {
    mark(Ambiguity::no_final_delimiter);
  }
  finish_at_end(current_);
  return std::move(tree_);
}

}  // namespace

PartTree parse_mime(Bytes message) { return TreeBuilder(message).build(); }

const Part* PartTree::find(const std::vector<std::uint32_t>& numbers) const {
  const std::uint32_t index = part_index(parts, numbers);
  return index == Part::none ? nullptr : &parts[index];
}

std::string decoded_body(Bytes message, const Part& part) {
  return decode(message.substr(std::min<std::size_t>(part.body, message.size()), part.body_length), part.encoding);
}

std::string decoded_body_text(Bytes message, const Part& part) {
  return body_to_utf8(decoded_body(message, part), part.content_type.parameter("charset"));
}

}  // namespace facteur::message
