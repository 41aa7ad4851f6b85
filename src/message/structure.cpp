#include "message/structure.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "message/encoded_word.hpp"
#include "message/imap_form.hpp"
#include "message/mime.hpp"
#include "message/part_number.hpp"
#include "message/references.hpp"
#include "message/text.hpp"

namespace facteur::message {
namespace {

constexpr std::uint8_t version = 2;
constexpr std::uint8_t has_date_flag = 1;
constexpr std::uint8_t zone_known_flag = 2;
constexpr std::uint8_t attachment_flag = 4;

// The record: this head, then (from version 2) the addition, then envelope, bodystructure, body, texts, parts and
// preview, one behind the other. Little-endian.
struct Head {
  std::uint8_t version;
  std::uint8_t flags;
  std::int16_t zone;
  std::uint32_t envelope;
  std::uint32_t bodystructure;
  std::uint32_t body;
  std::uint32_t texts;
  std::uint32_t parts;
  std::uint64_t size;
  std::uint64_t header_length;
  std::int64_t date;
};
static_assert(sizeof(Head) == 48 && std::is_trivially_copyable_v<Head>);

struct Addition {
  std::uint32_t ambiguities;
  std::uint32_t preview;  // Octets.
};
static_assert(sizeof(Addition) == 8 && std::is_trivially_copyable_v<Addition>);
constexpr std::size_t fixed_octets = sizeof(Head) + sizeof(Addition);

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// False: the table is damaged.
bool take_varint(Bytes& from, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 63 && !from.empty(); shift += 7) {
    const auto octet = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
    if (octet < 0x80) return true;
  }
  return false;
}

// ---- texts: nine lengths of two octets, then the texts.

constexpr std::array<std::size_t, header_texts> text_limits = {8192, 8192, 8192, 8192, 8192, 1024, 1024, 16384, 8192};

void add_text(std::string& lengths, std::string& texts, std::string_view text, std::size_t limit) {
  if (text.size() > limit) {
    text = text.substr(0, limit);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.remove_suffix(1);
  }
  lengths += static_cast<char>(text.size() & 0xff);
  lengths += static_cast<char>(text.size() >> 8);
  texts.append(text);
}

std::string joined_texts(std::span<const Bytes> values, std::string_view charset) {
  std::string out;
  for (const Bytes value : values) {
    if (out.size() > text_limits[0]) break;
    if (!out.empty()) out.append(", ");
    out.append(decoded_text(value.substr(0, 65'536), charset));
  }
  return out;
}

std::string joined_ids(const std::optional<Bytes>& value, std::size_t limit) {
  std::string out;
  if (!value) return out;
  for (const auto& id : parse_message_ids(*value)) {
    if (out.size() + id.size() + 3 > limit) break;
    if (!out.empty()) out += ' ';
    out += '<';
    out.append(id);
    out += '>';
  }
  return out;
}

// `charset`: of raw octets, which no standard allows and many have sent.
std::string make_texts(const HeaderValues& header, std::string_view charset) {
  const auto one = [charset](const std::optional<Bytes>& value) {
    return value ? decoded_text(value->substr(0, 65'536), charset) : std::string();
  };
  std::string lengths;
  std::string texts;
  const auto add = [&](HeaderText which, std::string_view text) {
    add_text(lengths, texts, text, text_limits[static_cast<std::size_t>(which)]);
  };
  add(HeaderText::subject, one(header.subject));
  add(HeaderText::from, one(header.from));
  add(HeaderText::to, joined_texts(header.to, charset));
  add(HeaderText::cc, joined_texts(header.cc, charset));
  add(HeaderText::bcc, joined_texts(header.bcc, charset));
  add(HeaderText::message_id, joined_ids(header.message_id, 1024));
  add(HeaderText::in_reply_to, joined_ids(header.in_reply_to, 1024));
  add(HeaderText::references, joined_ids(header.references, 16384));
  add(HeaderText::sender, one(header.sender));
  return lengths + texts;
}

// ---- parts: in order of headers.

constexpr unsigned kind_bits = 3;
constexpr unsigned encoding_shift = 2;
constexpr unsigned text_bit = 32;

std::string make_parts(const PartTree& tree, std::size_t shift) {
  std::string out;
  append_varint(out, tree.parts.size());
  std::uint64_t before = 0;
  for (const Part& part : tree.parts) {
    const bool text = part.kind == Part::Kind::leaf && part.content_type.type == "text";
    out += static_cast<char>(static_cast<unsigned>(part.kind) | static_cast<unsigned>(part.encoding) << encoding_shift |
                             (text ? text_bit : 0));
    // The root's header begins with our prefix.
    const bool root = part.parent == Part::none;
    const std::uint64_t start = root ? 0 : part.header + shift;
    append_varint(out, start - before);
    append_varint(out, part.header_length + (root ? shift : 0));
    append_varint(out, part.body_length);
    append_varint(out, part.children);
    if (text) {
      const auto charset = part.content_type.parameter("charset").substr(0, 64);
      append_varint(out, charset.size());
      out.append(charset);
    }
    before = start;
  }
  return out;
}

struct Node {
  Part::Kind kind = Part::Kind::leaf;
  std::uint8_t encoding = 0;
  bool text = false;
  bool message = false;  // In a part of Kind::message.
  std::uint32_t first_child = Part::none;
  std::uint32_t next_sibling = Part::none;
  Range header;
  Range body;
  Bytes charset;
};

bool take_node(Bytes& table, Node& node, std::uint64_t& start, std::uint64_t& children) {
  if (table.empty()) return false;
  const auto bits = static_cast<unsigned char>(table.front());
  table.remove_prefix(1);
  node.kind = static_cast<Part::Kind>(bits & kind_bits);
  node.encoding = static_cast<std::uint8_t>(bits >> encoding_shift & 7);
  node.text = (bits & text_bit) != 0;
  std::uint64_t delta = 0;
  if (!take_varint(table, delta) || !take_varint(table, node.header.length) || !take_varint(table, node.body.length) ||
      !take_varint(table, children)) {
    return false;
  }
  start += delta;
  node.header.offset = start;
  node.body.offset = start + node.header.length;
  if (!node.text) return true;
  std::uint64_t length = 0;
  if (!take_varint(table, length) || length > table.size()) return false;
  node.charset = table.substr(0, length);
  table.remove_prefix(length);
  return true;
}

// Empty: damaged.
std::vector<Node> read_nodes(Bytes table) {
  std::uint64_t count = 0;
  if (!take_varint(table, count) || count == 0 || count > max_parts || count > table.size()) return {};
  std::vector<Node> nodes(count);
  struct Open {
    std::uint32_t node;
    std::uint32_t last_child;
    std::uint64_t missing;
  };
  std::vector<Open> open;
  std::uint64_t start = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t children = 0;
    if (!take_node(table, nodes[i], start, children)) return {};
    while (!open.empty() && open.back().missing == 0) open.pop_back();
    if (open.empty() != (i == 0)) return {};
    if (!open.empty()) {
      auto& above = open.back();
      nodes[i].message = nodes[above.node].kind == Part::Kind::message;
      if (above.last_child == Part::none) {
        nodes[above.node].first_child = i;
      } else {
        nodes[above.last_child].next_sibling = i;
      }
      above.last_child = i;
      --above.missing;
    }
    if (children > 0) open.push_back({i, Part::none, children});
    if (nodes[i].kind == Part::Kind::message && children != 1) return {};
  }
  if (std::ranges::any_of(open, [](const Open& above) { return above.missing > 0; })) return {};
  return nodes;
}

}  // namespace

std::string make_structure(Bytes prefix, Bytes content) {
  const PartTree tree = parse_mime(content);
  HeaderValues header;
  header.read(prefix);
  header.read(content.substr(0, tree.parts.front().header_length));
  Head head{};
  std::string out(fixed_octets, '\0');
  out.reserve(2048);
  append_envelope(out, header);
  head.envelope = static_cast<std::uint32_t>(out.size() - fixed_octets);
  std::string basic;
  std::size_t start = out.size();
  bool attachment = false;
  std::string extended;
  append_structures(basic, extended, content, tree, header, attachment);
  out.append(extended);
  head.bodystructure = static_cast<std::uint32_t>(out.size() - start);
  start = out.size();
  out.append(basic);
  head.body = static_cast<std::uint32_t>(out.size() - start);
  start = out.size();
  out.append(make_texts(header, charset_of_header(content, tree)));
  head.texts = static_cast<std::uint32_t>(out.size() - start);
  start = out.size();
  out.append(make_parts(tree, prefix.size()));
  head.parts = static_cast<std::uint32_t>(out.size() - start);
  Addition addition{};
  start = out.size();
  out.append(message::preview(content, tree));
  addition.preview = static_cast<std::uint32_t>(out.size() - start);
  addition.ambiguities = find_ambiguities(content, tree).bits();
  head.version = version;
  head.size = prefix.size() + content.size();
  head.header_length = prefix.size() + tree.parts.front().header_length;
  if (const auto date = header.date ? parse_date(*header.date) : std::nullopt) {
    head.date = date->time.milliseconds;
    head.zone = date->offset_minutes;
    head.flags = static_cast<std::uint8_t>(has_date_flag | (date->zone_known ? zone_known_flag : 0));
  }
  if (attachment) head.flags |= attachment_flag;
  std::memcpy(out.data(), &head, sizeof head);
  std::memcpy(out.data() + sizeof head, &addition, sizeof addition);
  return out;
}

std::optional<Structure> Structure::open(Bytes record) {
  Head head{};
  Addition addition{};
  if (record.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, record.data(), sizeof head);
  if (head.version != 1 && (head.version != version || record.size() < fixed_octets)) return std::nullopt;
  const std::size_t fixed = head.version == 1 ? sizeof head : fixed_octets;
  if (head.version == version) std::memcpy(&addition, record.data() + sizeof head, sizeof addition);
  const std::uint64_t total = fixed + std::uint64_t{head.envelope} + head.bodystructure + head.body + head.texts +
                              head.parts + addition.preview;
  if (total != record.size() || head.texts < header_texts * 2) return std::nullopt;
  Structure structure;
  structure.record_ = record;
  std::size_t at = fixed;
  const auto take = [&](std::uint32_t length) {
    const Bytes piece = record.substr(at, length);
    at += length;
    return piece;
  };
  structure.envelope_ = take(head.envelope);
  structure.bodystructure_ = take(head.bodystructure);
  structure.body_ = take(head.body);
  structure.texts_ = take(head.texts);
  structure.parts_ = take(head.parts);
  if (head.version == version) structure.preview_ = take(addition.preview);
  structure.ambiguities_ = Ambiguities::of_bits(addition.ambiguities);
  structure.size_ = head.size;
  structure.header_length_ = head.header_length;
  return structure;
}

namespace {

Head head_of(Bytes record) {
  Head head{};
  std::memcpy(&head, record.data(), sizeof head);
  return head;
}

}  // namespace

std::optional<ZonedTime> Structure::date() const {
  const Head head = head_of(record_);
  if ((head.flags & has_date_flag) == 0) return std::nullopt;
  return ZonedTime{UtcTime{head.date}, head.zone, (head.flags & zone_known_flag) != 0};
}

std::optional<Bytes> Structure::preview() const { return preview_; }

bool Structure::has_attachment() const { return (head_of(record_).flags & attachment_flag) != 0; }

Bytes Structure::text(HeaderText which) const {
  std::size_t at = header_texts * 2;
  for (std::size_t i = 0; i < header_texts; ++i) {
    const std::size_t length = static_cast<unsigned char>(texts_[i * 2]) +
                               static_cast<std::size_t>(static_cast<unsigned char>(texts_[i * 2 + 1])) * 256;
    if (at + length > texts_.size()) return {};
    if (i == static_cast<std::size_t>(which)) return texts_.substr(at, length);
    at += length;
  }
  return {};
}

std::optional<Range> Structure::section(std::span<const std::uint32_t> numbers, SectionText which) const {
  if (numbers.empty()) {
    switch (which) {
      case SectionText::all:
        return Range{0, size_};
      case SectionText::header:
        return Range{0, header_length_};
      case SectionText::text:
        return Range{header_length_, size_ - std::min(size_, header_length_)};
      case SectionText::mime:
        return std::nullopt;  // RFC 9051 §6.4.5: MIME needs a part number.
    }
  }
  const auto nodes = read_nodes(parts_);
  if (nodes.empty()) return std::nullopt;
  const std::uint32_t index = part_index(nodes, numbers);
  if (index == Part::none) return std::nullopt;
  const Node& node = nodes[index];
  if (which == SectionText::all) return node.body;
  if (which == SectionText::mime) return node.header;
  if (node.kind != Part::Kind::message) return std::nullopt;
  const Node& inside = nodes[node.first_child];
  return which == SectionText::header ? inside.header : inside.body;
}

std::optional<Structure::Binary> Structure::binary(std::span<const std::uint32_t> numbers) const {
  if (numbers.empty()) return Binary{Range{0, size_}, static_cast<std::uint8_t>(Encoding::binary)};
  const auto nodes = read_nodes(parts_);
  if (nodes.empty()) return std::nullopt;
  const std::uint32_t index = part_index(nodes, numbers);
  if (index == Part::none || nodes[index].kind != Part::Kind::leaf) return std::nullopt;
  return Binary{nodes[index].body, nodes[index].encoding};
}

std::vector<Structure::Entity> Structure::entities() const {
  std::vector<Entity> entities;
  for (const Node& node : read_nodes(parts_)) {
    entities.push_back({.header = node.header,
                        .body = node.body,
                        .encoding = node.encoding,
                        .leaf = node.kind == Part::Kind::leaf,
                        .text = node.text,
                        .message = node.message,
                        .charset = node.charset});
  }
  return entities;
}

// ---- parts of records

namespace {

// What a record of parts holds; `like` is the record they come from: version, size, date and flags.
struct Pieces {
  Bytes envelope, bodystructure, body, texts, parts, preview;
};
std::string record_of(Bytes like, const Ambiguities& ambiguities, const Pieces& pieces) {
  Head head = head_of(like);
  head.envelope = static_cast<std::uint32_t>(pieces.envelope.size());
  head.bodystructure = static_cast<std::uint32_t>(pieces.bodystructure.size());
  head.body = static_cast<std::uint32_t>(pieces.body.size());
  head.texts = static_cast<std::uint32_t>(pieces.texts.size());
  head.parts = static_cast<std::uint32_t>(pieces.parts.size());
  std::string out(head.version == version ? fixed_octets : sizeof head, '\0');
  std::memcpy(out.data(), &head, sizeof head);
  if (head.version == version) {
    const Addition addition{ambiguities.bits(), static_cast<std::uint32_t>(pieces.preview.size())};
    std::memcpy(out.data() + sizeof head, &addition, sizeof addition);
  }
  out.append(pieces.envelope).append(pieces.bodystructure).append(pieces.body).append(pieces.texts);
  out.append(pieces.parts);
  if (head.version == version) out.append(pieces.preview);
  return out;
}

std::string some_texts(const Structure& structure, std::span<const HeaderText> wanted) {
  std::string lengths;
  std::string texts;
  for (std::size_t i = 0; i < header_texts; ++i) {
    const auto which = static_cast<HeaderText>(i);
    const bool kept = std::ranges::find(wanted, which) != wanted.end();
    add_text(lengths, texts, kept ? structure.text(which) : Bytes(), text_limits[i]);
  }
  return lengths + texts;
}

}  // namespace

std::optional<std::string> structure_part(Bytes record, StructurePart part) {
  static constexpr std::array searched{HeaderText::subject, HeaderText::from, HeaderText::to,
                                       HeaderText::cc,      HeaderText::bcc,  HeaderText::sender};
  static constexpr std::array threading{HeaderText::subject, HeaderText::message_id, HeaderText::in_reply_to,
                                        HeaderText::references};
  const auto whole = Structure::open(record);
  if (!whole) return std::nullopt;
  Pieces pieces;
  std::string texts = some_texts(*whole, {});
  switch (part) {
    case StructurePart::envelope:
      pieces.envelope = whole->envelope();
      break;
    case StructurePart::layout:
      pieces.bodystructure = whole->bodystructure();
      pieces.body = whole->body();
      pieces.parts = whole->parts();
      pieces.preview = whole->preview().value_or(Bytes());
      break;
    case StructurePart::texts:
      texts = some_texts(*whole, searched);
      break;
    case StructurePart::threading:
      texts = some_texts(*whole, threading);
      break;
  }
  pieces.texts = texts;
  return record_of(record, whole->ambiguities(), pieces);
}

std::optional<std::string> joined_structure(std::span<const Bytes> parts) {
  if (parts.empty()) return std::nullopt;
  Pieces pieces;
  Ambiguities ambiguities;
  const auto keep = [](Bytes& most, Bytes own) {
    if (own.size() > most.size()) most = own;
  };
  for (const Bytes part : parts) {
    const auto structure = Structure::open(part);
    if (!structure) return std::nullopt;
    ambiguities = structure->ambiguities();  // The same in all of them.
    keep(pieces.envelope, structure->envelope());
    keep(pieces.bodystructure, structure->bodystructure());
    keep(pieces.body, structure->body());
    keep(pieces.texts, structure->texts());
    keep(pieces.parts, structure->parts());
    keep(pieces.preview, structure->preview().value_or(Bytes()));
  }
  return record_of(parts.front(), ambiguities, pieces);
}

}  // namespace facteur::message
