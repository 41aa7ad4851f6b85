#include "message/seven_bit.hpp"

#include <algorithm>
#include <optional>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/transfer.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t longest_line = 998;  // RFC 5322 §2.1.1, without CRLF.

// Quoted-printable where the text stays readable and shorter than base64; never where it would change line ends.
bool quote(const ContentType& type, Bytes octets) {
  if (type.type != "text" && type.type != "message") return false;
  if (has_bare_line_end(octets)) return false;
  const auto coded = static_cast<std::size_t>(std::ranges::count_if(
      octets, [](char c) { return static_cast<unsigned char>(c) >= 0x80 || c == '=' || c == '\0'; }));
  return octets.size() + 2 * coded <= octets.size() / 3 * 4 + 64;
}

}  // namespace

class SevenBitConverter {
 public:
  explicit SevenBitConverter(Bytes message) : message_(message), tree_(parse_mime(message)) {}

  std::expected<SevenBitPieces, Unconvertible> run() {
    if (tree_.truncated) return std::unexpected(Unconvertible::damaged);
    out_.message_ = message_;
    // Nothing is changed without need, not even a label that says more than is true: it may be signed.
    if (!needs_encoding(message_)) {
      out_.keep(message_, message_);
      return std::move(out_);
    }
    write(0);
    if (wrong_) return std::unexpected(*wrong_);
    return std::move(out_);
  }

 private:
  Bytes header_of(const Part& part) const { return message_.substr(part.header, part.header_length); }
  Bytes body_of(const Part& part) const { return message_.substr(part.body, part.body_length); }

  // Each of these gives the place behind what it has written. A header without its blank line reaches to the delimiter,
  // and so beyond the body of the parts around it.
  std::uint64_t write(std::uint32_t index) {
    const Part& part = tree_.parts[index];
    if (part.kind == Part::Kind::multipart) return write_multipart(part);
    const bool global = part.content_type.is("message", "global");
    if (part.kind == Part::Kind::message && !global && part.encoding <= Encoding::binary) {
      write_header(part, "7bit", false);
      return write(part.first_child);
    }
    write_leaf(part);
    return part.body + part.body_length;
  }

  void write_leaf(const Part& part) {
    const Bytes body = body_of(part);
    if (!needs_encoding(body)) {
      write_header(part, "7bit", false);
      out_.keep(message_, body);
      return;
    }
    if (part.content_type.is("message", "partial")) return refuse(Unconvertible::partial);
    if (part.encoding == Encoding::other) return refuse(Unconvertible::unknown_encoding);
    const std::string octets = decode(body, part.encoding);
    const bool quoted = quote(part.content_type, octets);
    write_header(part, quoted ? "quoted-printable" : "base64", true);
    out_.write(quoted ? encode_quoted_printable(octets) : encode_base64_lines(octets));
  }

  std::uint64_t write_multipart(const Part& part) {
    const std::uint64_t end = part.body + part.body_length;
    const auto& type = part.content_type;
    if (type.subtype == "signed" || type.subtype == "encrypted") {
      if (needs_encoding(body_of(part))) {
        refuse(type.subtype == "signed" ? Unconvertible::signed_part : Unconvertible::encrypted_part);
      }
      out_.keep(message_, header_of(part));
      out_.keep(message_, body_of(part));
      return end;
    }
    // All its text would be preamble, which nobody is shown; but some reader shows it all the same.
    if (part.first_child == Part::none && needs_encoding(body_of(part))) refuse(Unconvertible::damaged);
    write_header(part, "7bit", false);
    std::uint64_t at = part.body;
    for (std::uint32_t child = part.first_child; child != Part::none; child = tree_.parts[child].next_sibling) {
      write_between(at, tree_.parts[child].header);
      at = write(child);
    }
    write_between(at, end);
    return std::max(at, end);
  }

  void write_between(std::uint64_t from, std::uint64_t to) {
    if (from < to) write_between(message_.substr(from, to - from));
  }

  // Preamble, delimiters, epilogue: what is no delimiter means nothing to anybody (RFC 2046 §5.1.1).
  void write_between(Bytes text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      const Bytes line = text.substr(0, end);
      text.remove_prefix(end);
      if (!needs_encoding(line)) {
        out_.keep(message_, line);
      } else if (line.starts_with("--")) {
        return refuse(Unconvertible::damaged);
      } else {
        std::string cleaned(line.substr(0, longest_line));
        std::ranges::replace_if(
            cleaned, [](char c) { return static_cast<unsigned char>(c) >= 0x80 || c == '\0'; }, '?');
        out_.write(cleaned);
        if (line.size() > longest_line) out_.write("\r\n");
      }
    }
  }

  // `always`: the encoding is new; else only a label that does not hold any more is replaced.
  void write_header(const Part& part, std::string_view encoding, bool always) {
    const Bytes header = header_of(part);
    FieldScanner scanner(header);
    Field field;
    std::size_t end = 0;  // Of the last field.
    bool mime = false;
    bool typed = false;
    bool labelled = false;
    while (scanner.next(field)) {
      end = field.line + field.whole.size();
      mime = mime || field.is("MIME-Version");
      typed = typed || field.is("Content-Type");
      const bool label = field.is("Content-Transfer-Encoding");
      const bool replace =
          label && (always || part.encoding == Encoding::eight_bit || part.encoding == Encoding::binary);
      if (!replace) {
        out_.keep(message_, field.whole);
      } else if (!labelled) {
        append_field("Content-Transfer-Encoding", encoding);
      }
      labelled = labelled || label;
    }
    if (always) {
      if (!header.substr(0, end).empty() && !header.substr(0, end).ends_with('\n')) out_.write("\r\n");
      const bool top = part.parent == Part::none || tree_.parts[part.parent].kind == Part::Kind::message;
      if (top && !mime) append_field("MIME-Version", "1.0");
      if (top && !typed) {
        // RFC 1428: nobody has said what the octets mean.
        append_field("Content-Type",
                     is_utf8(body_of(part)) ? "text/plain; charset=utf-8" : "text/plain; charset=unknown-8bit");
      }
      if (!labelled) append_field("Content-Transfer-Encoding", encoding);
    }
    const Bytes rest = header.substr(end);
    if (always && rest.empty()) {
      out_.write("\r\n");
    } else {
      out_.keep(message_, rest);
    }
  }

  void append_field(std::string_view name, std::string_view value) {
    out_.write(std::string(name).append(": ").append(value).append("\r\n"));
  }
  void refuse(Unconvertible why) {
    if (!wrong_) wrong_ = why;
  }

  Bytes message_;
  PartTree tree_;
  SevenBitPieces out_;
  std::optional<Unconvertible> wrong_;
};

void SevenBitPieces::keep(Bytes from, Bytes part) {
  if (part.empty()) return;
  const auto offset = static_cast<std::size_t>(part.data() - from.data());
  if (!list_.empty() && !list_.back().own && list_.back().offset + list_.back().length == offset) {
    list_.back().length += part.size();
  } else {
    list_.push_back({offset, part.size(), false});
  }
}

void SevenBitPieces::write(Bytes text) {
  if (text.empty()) return;
  if (!list_.empty() && list_.back().own) {
    list_.back().length += text.size();
  } else {
    list_.push_back({written_.size(), text.size(), true});
  }
  written_.append(text);
}

std::vector<Bytes> SevenBitPieces::pieces() const {
  std::vector<Bytes> out;
  out.reserve(list_.size());
  for (const auto& one : list_) out.push_back((one.own ? Bytes(written_) : message_).substr(one.offset, one.length));
  return out;
}

// Looked at in stretches without a branch inside, which the compiler makes wide operations of.
bool has_eight_bit(Bytes text) {
  constexpr std::size_t stretch = 1024;
  while (!text.empty()) {
    unsigned char bits = 0;
    for (const char c : text.substr(0, stretch)) bits |= static_cast<unsigned char>(c);
    if (bits >= 0x80) return true;
    text.remove_prefix(std::min(stretch, text.size()));
  }
  return false;
}

bool has_bare_line_end(Bytes text) {
  for (std::size_t at = text.find_first_of("\r\n"); at != Bytes::npos; at = text.find_first_of("\r\n", at)) {
    if (text[at] != '\r' || at + 1 == text.size() || text[at + 1] != '\n') return true;
    at += 2;
  }
  return false;
}

bool needs_encoding(Bytes text) { return has_eight_bit(text) || text.find('\0') != Bytes::npos || has_long_line(text); }

bool has_long_line(Bytes text) {
  while (text.size() > longest_line) {
    const std::size_t end = text.find('\n');
    if (std::min(end, text.size()) > longest_line + 1) return true;
    if (end == Bytes::npos) return false;
    text.remove_prefix(end + 1);
  }
  return false;
}

std::string_view reason_of(Unconvertible why) {
  switch (why) {
    case Unconvertible::signed_part:
      return "it is signed";
    case Unconvertible::encrypted_part:
      return "it is encrypted";
    case Unconvertible::partial:
      return "it is a piece of a larger message";
    case Unconvertible::unknown_encoding:
      return "its encoding is unknown";
    case Unconvertible::damaged:
      return "its parts are damaged";
  }
  return "it is damaged";
}

std::expected<SevenBitPieces, Unconvertible> seven_bit_pieces(Bytes message) {
  return SevenBitConverter(message).run();
}

std::expected<std::string, Unconvertible> to_seven_bit(Bytes message) {
  const auto made = seven_bit_pieces(message);
  if (!made) return std::unexpected(made.error());
  std::string out;
  out.reserve(message.size() + message.size() / 4);
  for (const Bytes piece : made->pieces()) out.append(piece);
  return out;
}

bool needs_utf8_transport(Bytes message) {
  const PartTree tree = parse_mime(message);
  return tree.truncated ? has_eight_bit(message) : std::ranges::any_of(tree.parts, [&](const Part& part) {
    const bool global = part.content_type.is("message", "global") && part.encoding <= Encoding::binary;
    return global || has_eight_bit(message.substr(part.header, part.header_length));
  });
}

}  // namespace facteur::message
