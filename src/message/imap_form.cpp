#include "message/imap_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.hpp"
#include "message/address.hpp"
#include "message/structure.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t max_listed = 5'000;          // Addresses shown of one field.
constexpr std::size_t max_form_octets = 1u << 20;  // Envelopes of inner messages behind this are left empty.
constexpr std::string_view empty_envelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_value(std::string& out, const std::optional<Bytes>& value) {
  if (!value) {
    out.append("NIL");
  } else {
    append_imap_string(out, unfolded(*value));
  }
}

void append_address(std::string& out, const ListedAddress& entry) {
  using Kind = ListedAddress::Kind;
  if (entry.kind == Kind::group_end) {
    out.append("(NIL NIL NIL NIL)");
    return;
  }
  out += '(';
  if (entry.kind == Kind::group_start) {
    out.append("NIL NIL ");
    append_imap_string(out, entry.name);  // RFC 9051 §7.5.2: the name of a group, and NIL as host.
    out.append(" NIL)");
    return;
  }
  append_imap_nstring(out, entry.name, !entry.name.empty());
  out += ' ';
  append_imap_nstring(out, entry.route, !entry.route.empty());
  out += ' ';
  append_imap_string(out, entry.local);
  out += ' ';
  append_imap_string(out, entry.domain);
  out += ')';
}

// False: there was no address, and NIL was written.
template <class Values>
bool append_addresses(std::string& out, const Values& values, ListedAddress& entry) {
  const std::size_t start = out.size();
  out += '(';
  std::size_t count = 0;
  for (const Bytes value : values) {
    AddressScanner scanner(value);
    for (; count < max_listed && scanner.next(entry); ++count) append_address(out, entry);
  }
  if (count > 0) {
    out += ')';
    return true;
  }
  out.resize(start);
  out.append("NIL");
  return false;
}

using One = std::array<Bytes, 1>;

void append_parameters(std::string& out, const Parameters& parameters) {
  if (parameters.empty()) {
    out.append("NIL");
    return;
  }
  char before = '(';
  for (const auto& [name, value] : parameters) {
    out += before;
    append_imap_string(out, name);
    out += ' ';
    append_imap_string(out, value);
    before = ' ';
  }
  out += ')';
}

std::string_view encoding_name(Encoding encoding) {
  switch (encoding) {
    case Encoding::seven_bit:
      return "7bit";
    case Encoding::eight_bit:
      return "8bit";
    case Encoding::binary:
      return "binary";
    case Encoding::quoted_printable:
      return "quoted-printable";
    case Encoding::base64:
      return "base64";
    case Encoding::other:
    case Encoding::uuencode:
      break;
  }
  return {};
}

void append_language(std::string& out, const std::optional<Bytes>& value) {
  if (!value) {
    out.append("NIL");
    return;
  }
  const std::string line = unfolded(*value);
  std::vector<std::string_view> tags;
  for (std::string_view rest = line; !rest.empty() && tags.size() < 100;) {
    const std::size_t comma = rest.find(',');
    if (const auto tag = ascii::trimmed(rest.substr(0, comma)); !tag.empty()) tags.push_back(tag);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  if (tags.empty()) {
    out.append("NIL");
  } else if (tags.size() == 1) {
    append_imap_string(out, tags.front());
  } else {
    for (std::size_t i = 0; i < tags.size(); ++i) {
      out += i == 0 ? '(' : ' ';
      append_imap_string(out, tags[i]);
    }
    out += ')';
  }
}

class FormWriter {
 public:
  FormWriter(std::string& basic, std::string& extended, Bytes content, const PartTree& tree, const HeaderValues& root)
      : basic_(basic), extended_(extended), content_(content), tree_(tree), root_(root) {}

  void write();
  bool attachment() const { return attachment_; }

 private:
  // What must be written when the parts inside have been.
  struct Pending {
    std::uint32_t part;
    std::string tail;       // Of both forms.
    std::string extension;  // Of BODYSTRUCTURE only.
  };

  void enter(std::uint32_t index);
  void leave();
  void both(std::string_view text) {
    basic_.append(text);
    extended_.append(text);
  }
  void enter_multipart(std::uint32_t index, const HeaderValues& header);
  void enter_single(std::uint32_t index, const HeaderValues& header);
  void append_disposition(std::string& out, const HeaderValues& header);
  void append_extension(std::string& out, const HeaderValues& header);

  std::string& basic_;
  std::string& extended_;
  Bytes content_;
  const PartTree& tree_;
  const HeaderValues& root_;
  std::vector<Pending> pending_;
  std::string scratch_;
  bool attachment_ = false;
};

void FormWriter::append_disposition(std::string& out, const HeaderValues& header) {
  if (!header.disposition) {
    out.append("NIL");
    return;
  }
  auto parsed = parse_disposition(*header.disposition);
  if (!parsed) {
    out.append("NIL");
    return;
  }
  const auto parameters = raw_parameters(*header.disposition);
  attachment_ = attachment_ || parsed->kind == "attachment" ||
                std::ranges::any_of(parameters, [](const auto& entry) { return entry.first.starts_with("filename"); });
  out += '(';
  append_imap_string(out, parsed->kind);
  out += ' ';
  append_parameters(out, parameters);
  out += ')';
}

// body-fld-dsp, body-fld-lang, body-fld-loc, each with a space in front.
void FormWriter::append_extension(std::string& out, const HeaderValues& header) {
  out += ' ';
  append_disposition(out, header);
  out += ' ';
  append_language(out, header.language);
  out += ' ';
  append_value(out, header.location);
}

void FormWriter::enter_multipart(std::uint32_t index, const HeaderValues& header) {
  const Part& part = tree_.parts[index];
  both("(");
  // RFC 9051 §9 body-type-mpart: at least one body, so a multipart in which none was found shows an empty text.
  if (part.children == 0) both("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
  Pending later{index, " ", " "};
  append_imap_string(later.tail, part.content_type.subtype);
  append_parameters(later.extension, header.content_type ? raw_parameters(*header.content_type) : Parameters{});
  append_extension(later.extension, header);
  pending_.push_back(std::move(later));
}

void FormWriter::enter_single(std::uint32_t index, const HeaderValues& header) {
  const Part& part = tree_.parts[index];
  const auto& type = part.content_type;
  const bool message = part.kind == Part::Kind::message;
  // What was not taken apart must not look as if it had been (RFC 9051 §9 media-message, media-basic).
  const bool opaque = !message && (type.type == "multipart" ||
                                   (type.type == "message" && (type.subtype == "rfc822" || type.subtype == "global")));
  const bool text = type.type == "text";
  std::string& out = scratch_;
  out.assign(1, '(');
  append_imap_string(out, opaque ? "application" : type.type);
  out += ' ';
  append_imap_string(out, opaque ? "octet-stream" : type.subtype);
  out += ' ';
  const bool typed = header.content_type && parse_content_type(*header.content_type);
  if (!typed && text) {
    out.append("(\"charset\" \"us-ascii\")");  // RFC 2045 §5.2.
  } else {
    append_parameters(out, typed ? raw_parameters(*header.content_type) : Parameters{});
  }
  out += ' ';
  append_value(out, header.id);
  out += ' ';
  append_value(out, header.description);
  out += ' ';
  if (encoding_name(part.encoding).empty()) {
    append_value(out, header.encoding);
  } else {
    out += '"';
    out.append(encoding_name(part.encoding));
    out += '"';
  }
  out += ' ';
  append_number(out, part.body_length);
  Pending later{index, {}, {}};
  if (text || message) {
    later.tail += ' ';
    append_number(later.tail, part.lines);
  }
  later.extension += ' ';
  append_value(later.extension, header.md5);
  append_extension(later.extension, header);
  if (message) {
    out += ' ';
    const Part& inside = tree_.parts[part.first_child];
    HeaderValues values;
    values.read(content_.substr(inside.header, inside.header_length));
    if (extended_.size() < max_form_octets) {
      append_envelope(out, values);
    } else {
      out.append(empty_envelope);
    }
    out += ' ';
  }
  attachment_ = attachment_ || (type.type != "text" && !type.parameter("name").empty());
  both(out);
  pending_.push_back(std::move(later));
}

void FormWriter::enter(std::uint32_t index) {
  const Part& part = tree_.parts[index];
  HeaderValues own;
  if (index != 0) own.read(content_.substr(part.header, part.header_length));
  const HeaderValues& header = index == 0 ? root_ : own;
  if (part.kind == Part::Kind::multipart) {
    enter_multipart(index, header);
  } else {
    enter_single(index, header);
  }
}

void FormWriter::leave() {
  both(pending_.back().tail);
  extended_.append(pending_.back().extension);
  both(")");
  pending_.pop_back();
}

void FormWriter::write() {
  std::uint32_t index = 0;
  while (true) {
    enter(index);
    if (tree_.parts[index].first_child != Part::none) {
      index = tree_.parts[index].first_child;
      continue;
    }
    while (true) {
      leave();
      if (index == 0) return;
      if (tree_.parts[index].next_sibling != Part::none) break;
      index = tree_.parts[index].parent;
    }
    index = tree_.parts[index].next_sibling;
  }
}

}  // namespace

void append_imap_string(std::string& out, Bytes value) {
  bool quotable = true;
  bool escapes = false;
  for (const char c : value) {
    quotable = quotable && c > 0 && c != '\r' && c != '\n';
    escapes = escapes || c == '"' || c == '\\';
  }
  if (quotable) {
    out += '"';
    if (!escapes) {
      out.append(value);
    } else {
      for (const char c : value) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    }
    out += '"';
    return;
  }
  // RFC 9051 §9 literal: any octet but NUL.
  const auto nuls = static_cast<std::size_t>(std::ranges::count(value, '\0'));
  out += '{';
  append_number(out, value.size() - nuls);
  out.append("}\r\n");
  if (nuls == 0) {
    out.append(value);
  } else {
    std::ranges::copy_if(value, std::back_inserter(out), [](char c) { return c != '\0'; });
  }
}

void append_imap_nstring(std::string& out, Bytes value, bool present) {
  if (present) {
    append_imap_string(out, value);
  } else {
    out.append("NIL");
  }
}

void HeaderValues::take(const Field& field) {
  const auto set = [&](std::optional<Bytes>& slot, std::string_view name) {
    if (!slot && field.is(name)) slot = field.value;
  };
  const auto add = [&](std::vector<Bytes>& list, std::string_view name) {
    if (list.size() < 100 && field.is(name)) list.push_back(field.value);
  };
  if (field.name.empty()) return;
  switch (ascii::to_lower(field.name[0])) {
    case 'b':
      add(bcc, "Bcc");
      break;
    case 'c':
      if (field.name.size() < 3) {
        add(cc, "Cc");
        break;
      }
      set(content_type, "Content-Type");
      set(encoding, "Content-Transfer-Encoding");
      set(id, "Content-ID");
      set(description, "Content-Description");
      set(disposition, "Content-Disposition");
      set(language, "Content-Language");
      set(location, "Content-Location");
      set(md5, "Content-MD5");
      break;
    case 'd':
      set(date, "Date");
      break;
    case 'f':
      set(from, "From");
      break;
    case 'i':
      set(in_reply_to, "In-Reply-To");
      break;
    case 'm':
      set(message_id, "Message-ID");
      break;
    case 'r':
      set(reply_to, "Reply-To");
      set(references, "References");
      break;
    case 's':
      set(subject, "Subject");
      set(sender, "Sender");
      break;
    case 't':
      add(to, "To");
      break;
    default:
      break;
  }
}

void HeaderValues::read(Bytes header) {
  FieldScanner scanner(header);
  for (Field field; scanner.next(field);) take(field);
}

void append_envelope(std::string& out, const HeaderValues& header) {
  ListedAddress entry;
  out += '(';
  append_value(out, header.date);
  out += ' ';
  append_value(out, header.subject);
  out += ' ';
  const std::size_t from_start = out.size();
  const One from{header.from.value_or(Bytes())};
  append_addresses(out, from, entry);
  const std::size_t from_length = out.size() - from_start;
  // RFC 9051 §7.5.2: absent or empty Sender and Reply-To are the same as From.
  for (const auto& value : {header.sender, header.reply_to}) {
    out += ' ';
    const std::size_t start = out.size();
    if (value && append_addresses(out, One{*value}, entry)) continue;
    out.resize(start);
    out.append(out, from_start, from_length);
  }
  for (const auto* list : {&header.to, &header.cc, &header.bcc}) {
    out += ' ';
    append_addresses(out, *list, entry);
  }
  out += ' ';
  append_value(out, header.in_reply_to);
  out += ' ';
  append_value(out, header.message_id);
  out += ')';
}

void append_structures(std::string& basic, std::string& extended, Bytes content, const PartTree& tree,
                       const HeaderValues& root, bool& attachment) {
  FormWriter writer(basic, extended, content, tree, root);
  writer.write();
  attachment = writer.attachment();
}

}  // namespace facteur::message
