// Attributes of TNEF in their order: those of the message, then those of each file, which begin with its rendering.
#include "message/tnef.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "message/charset.hpp"
#include "message/text.hpp"
#include "message/tnef_reader.hpp"

namespace facteur::message {
namespace {

constexpr std::uint64_t signature = 0x223e9f78;
constexpr std::size_t most_files = 10'000;
constexpr std::size_t most_unpacked = 8u << 20;

// MS-OXTNEF §2.1.3.2: idAttribute with its type.
enum Attribute : std::uint32_t {
  subject = 0x00018004,
  body = 0x0002800c,
  message_class = 0x00078008,
  message_properties = 0x00069003,
  code_page = 0x00069007,
  file_rendering = 0x00069002,
  file_title = 0x00018010,
  file_octets = 0x0006800f,
  file_transport_name = 0x00069001,
  file_properties = 0x00069005,
};

// MS-OXPROPS: the properties read here.
enum Property : std::uint16_t {
  subject_property = 0x0037,
  body_property = 0x1000,
  rtf_property = 0x1009,
  html_property = 0x1013,
  internet_code_page = 0x3fde,
  file_object = 0x3701,
  file_name_property = 0x3704,
  file_long_name = 0x3707,
  file_type = 0x370e,
  file_content_id = 0x3712,
  display_name = 0x3001,
};

std::string charset_of(std::uint64_t page) {
  if (page == 65001) return "utf-8";
  if (page == 20127) return "us-ascii";
  if (page > 28590 && page <= 28605) return fmt::format("iso-8859-{}", page - 28590);
  if ((page >= 1250 && page <= 1258) || page == 874) return fmt::format("windows-{}", page);
  return page == 0 ? "windows-1252" : fmt::format("cp{}", page);
}

Bytes until_nul(Bytes text) { return text.substr(0, text.find('\0')); }

std::uint64_t little_endian(Bytes octets) { return TnefReader(octets).number(std::min<std::size_t>(octets.size(), 4)); }

class TnefParser {
 public:
  explicit TnefParser(Bytes octets) : reader_(octets) {}
  std::optional<Tnef> parse();

 private:
  void message_attribute(std::uint64_t tag, Bytes value);
  void file_attribute(std::uint64_t tag, Bytes value);
  void message_property(const MapiProperty& property);
  void file_property(const MapiProperty& property);
  std::string text_of(Bytes octets) const { return to_utf8(until_nul(octets), charset_); }
  std::string text_of(const MapiProperty& property) const;
  void set_name(std::string name, int rank);

  TnefReader reader_;
  Tnef out_;
  std::string charset_ = "windows-1252";
  int name_rank_ = 0;  // How good a source the file's name came from.
};

std::string TnefParser::text_of(const MapiProperty& property) const {
  if (property.type != mapi::unicode) return text_of(property.value);
  std::string text = to_utf8(property.value.substr(0, property.value.size() & ~std::size_t{1}), "utf-16le");
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

void TnefParser::set_name(std::string name, int rank) {
  if (name.empty() || rank < name_rank_) return;
  // Names are never paths.
  name.erase(0, std::min(name.find_last_of("/\\") + 1, name.size()));
  out_.files.back().name = without_controls(name);
  name_rank_ = rank;
}

void TnefParser::message_property(const MapiProperty& property) {
  switch (property.id) {
    case subject_property:
      if (out_.subject.empty()) out_.subject = text_of(property);
      break;
    case body_property:
      if (out_.text.empty()) out_.text = text_of(property);
      break;
    case rtf_property:
      if (auto rtf = unpacked_rtf(property.value, most_unpacked)) out_.rtf = std::move(*rtf);
      break;
    case html_property:
      out_.html = property.type == mapi::binary ? std::string(property.value) : text_of(property);
      break;
    case internet_code_page:
      if (const auto page = little_endian(property.value); page != 0) charset_ = charset_of(page);
      break;
    default:
      break;
  }
}

void TnefParser::message_attribute(std::uint64_t tag, Bytes value) {
  switch (tag) {
    case subject:
      out_.subject = text_of(value);
      break;
    case body:
      out_.text = text_of(value);
      break;
    case message_class:
      out_.message_class = std::string(until_nul(value));
      break;
    case code_page:
      charset_ = charset_of(little_endian(value));
      break;
    case message_properties:
      if (!read_properties(value, [this](const MapiProperty& property) { message_property(property); })) {
        out_.damaged = true;
      }
      break;
    default:
      break;
  }
}

// {00020307-0000-0000-C000-000000000046}: the file is a message, in TNEF again.
constexpr std::string_view message_interface("\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", 16);

void TnefParser::file_property(const MapiProperty& property) {
  TnefFile& file = out_.files.back();
  switch (property.id) {
    case file_long_name:
      set_name(text_of(property), 3);
      break;
    case file_name_property:
      set_name(text_of(property), 1);
      break;
    case display_name:
      set_name(text_of(property), 0);
      break;
    case file_type:
      file.type = text_of(property);
      break;
    case file_content_id:
      file.content_id = text_of(property);
      std::erase_if(file.content_id, [](char c) { return c == '<' || c == '>'; });
      break;
    case file_object:
      if (property.type == mapi::object && property.value.size() >= 16) {
        file.embedded_message = property.value.starts_with(message_interface);
        file.octets = std::string(property.value.substr(16));
      } else if (file.octets.empty()) {
        file.octets = std::string(property.value);
      }
      break;
    default:
      break;
  }
}

void TnefParser::file_attribute(std::uint64_t tag, Bytes value) {
  if (tag == file_rendering || out_.files.empty()) {
    if (out_.files.size() >= most_files) return;
    out_.files.emplace_back();
    name_rank_ = 0;
  }
  switch (tag) {
    case file_title:
    case file_transport_name:
      set_name(text_of(value), tag == file_title ? 2 : 1);
      break;
    case file_octets:
      out_.files.back().octets = std::string(value);
      break;
    case file_properties:
      if (!read_properties(value, [this](const MapiProperty& property) { file_property(property); })) {
        out_.damaged = true;
      }
      break;
    default:
      break;
  }
}

std::optional<Tnef> TnefParser::parse() {
  if (reader_.number(4) != signature) return std::nullopt;
  reader_.number(2);  // A key, of no use.
  while (reader_.left() > 0) {
    const std::uint64_t level = reader_.number(1);
    const std::uint64_t tag = reader_.number(4);
    const Bytes value = reader_.take(reader_.number(4));
    const std::uint64_t checksum = reader_.number(2);
    if (reader_.failed() || level < 1 || level > 2) {
      out_.damaged = true;
      break;
    }
    std::uint16_t sum = 0;
    for (const char c : value) sum = static_cast<std::uint16_t>(sum + static_cast<unsigned char>(c));
    out_.damaged = out_.damaged || sum != checksum;
    if (level == 1) {
      message_attribute(tag, value);
    } else {
      file_attribute(tag, value);
    }
  }
  return std::move(out_);
}

}  // namespace

std::optional<Tnef> parse_tnef(Bytes octets) { return TnefParser(octets).parse(); }

}  // namespace facteur::message
