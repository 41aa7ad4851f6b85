#include "backup/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/base64.hpp"
#include "crypto/hash.hpp"

namespace facteur::backup {
namespace {

namespace json = boost::json;

constexpr std::int64_t format_version = 1;
constexpr std::string_view before_body = R"({"body":)";
constexpr std::string_view before_hash = R"(,"sha256":")";
constexpr std::string_view behind_hash = "\"}\n";
constexpr std::size_t hash_digits = 64;

bool is_hash(std::string_view text) {
  return text.size() == hash_digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// No part of a path leads upwards, and a relative one begins with a name.
bool is_safe(std::string_view path, bool absolute) {
  if (path.empty() || path.size() > 4096 || path.starts_with('/') != absolute || path.find('\0') != path.npos) {
    return false;
  }
  for (std::size_t at = absolute ? 1 : 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const auto name = path.substr(at, end - at);
    if (name.empty() || name == "." || name == "..") return false;
    at = end + 1;
  }
  return true;
}

// Members of an object; whatever is missing or of another type makes the whole thing bad.
class Members {
 public:
  explicit Members(const json::value& value) : object_(value.if_object()), good_(object_ != nullptr) {}

  std::string text(std::string_view name) {
    const auto* found = find(name);
    if (!found || !found->is_string()) return bad<std::string>();
    return std::string(found->get_string());
  }
  std::uint64_t number(std::string_view name, std::uint64_t most) {
    const auto* found = find(name);
    if (!found || !found->is_int64() || found->get_int64() < 0) return bad<std::uint64_t>();
    const auto value = static_cast<std::uint64_t>(found->get_int64());
    return value <= most ? value : bad<std::uint64_t>();
  }
  std::string hash(std::string_view name) {
    std::string out = text(name);
    return is_hash(out) ? out : bad<std::string>();
  }
  const json::array& list(std::string_view name) {
    static const json::array none;
    const auto* found = find(name);
    if (found && found->is_array()) return found->get_array();
    good_ = false;
    return none;
  }
  bool good() const { return good_; }

 private:
  template <class T>
  T bad() {
    good_ = false;
    return {};
  }
  const json::value* find(std::string_view name) const { return object_ ? object_->if_contains(name) : nullptr; }

  const json::object* object_;
  bool good_;
};

std::optional<SegmentEntry> segment_of(const json::value& value) {
  Members in(value);
  SegmentEntry out;
  out.number = static_cast<std::uint32_t>(in.number("number", UINT32_MAX));
  out.length = static_cast<std::uint32_t>(in.number("length", UINT32_MAX));
  out.sha256 = in.hash("sha256");
  const std::string nonce = in.text("nonce");
  const auto octets = from_hex(nonce);
  if (!in.good() || !octets || octets->size() != sizeof out.nonce || out.number == 0) return std::nullopt;
  for (const char c : *octets) out.nonce = out.nonce << 8 | static_cast<unsigned char>(c);
  return out;
}

std::optional<FileEntry> file_of(const json::value& value) {
  Members in(value);
  FileEntry out{in.text("what"), in.text("path"), in.number("size", INT64_MAX), in.hash("sha256")};
  if (!in.good() || !is_safe(out.path, out.what != "data")) return std::nullopt;
  return out;
}

json::object told(const Manifest& manifest) {
  json::array segments;
  for (const auto& segment : manifest.segments) {
    segments.push_back(json::object{{"number", segment.number},
                                    {"nonce", fmt::format("{:016x}", segment.nonce)},
                                    {"length", segment.length},
                                    {"sha256", segment.sha256}});
  }
  json::array files;
  for (const auto& file : manifest.files) {
    files.push_back(
        json::object{{"what", file.what}, {"path", file.path}, {"size", file.size}, {"sha256", file.sha256}});
  }
  json::array damaged;
  for (const auto& place : manifest.damaged) damaged.emplace_back(place);
  return {{"format", format_version},      {"instance", manifest.instance},
          {"version", manifest.version},   {"taken", manifest.taken.milliseconds},
          {"sequence", manifest.sequence}, {"segments", std::move(segments)},
          {"files", std::move(files)},     {"damaged", std::move(damaged)}};
}

// The octets of the body, if the checksum is theirs.
std::optional<Bytes> checked_body(Bytes text) {
  const std::size_t around = before_body.size() + before_hash.size() + hash_digits + behind_hash.size();
  if (text.size() < around || !text.starts_with(before_body) || !text.ends_with(behind_hash)) return std::nullopt;
  const Bytes body = text.substr(before_body.size(), text.size() - around);
  const Bytes rest = text.substr(before_body.size() + body.size());
  if (!rest.starts_with(before_hash)) return std::nullopt;
  if (rest.substr(before_hash.size(), hash_digits) != to_hex(crypto::sha256(body).view())) return std::nullopt;
  return body;
}

}  // namespace

std::uint64_t Manifest::octets() const {
  std::uint64_t sum = 0;
  for (const auto& segment : segments) sum += segment.length;
  for (const auto& file : files) sum += file.size;
  return sum;
}

std::string segment_file(const SegmentEntry& segment) {
  return fmt::format("segments/{:08}-{:016x}.seg", segment.number, segment.nonce);
}

std::string content_file(std::string_view sha256) { return "files/" + std::string(sha256); }

std::string encode(const Manifest& manifest) {
  const std::string body = json::serialize(told(manifest));
  std::string out(before_body);
  out += body;
  out += before_hash;
  out += to_hex(crypto::sha256(body).view());
  out += behind_hash;
  return out;
}

std::optional<Manifest> decode(Bytes text) {
  const auto body = checked_body(text);
  if (!body) return std::nullopt;
  boost::system::error_code wrong;
  const json::value parsed = json::parse(*body, wrong);
  if (wrong) return std::nullopt;
  Members in(parsed);
  Manifest out;
  if (in.number("format", format_version) != format_version) return std::nullopt;
  out.instance = in.text("instance");
  out.version = in.text("version");
  out.taken.milliseconds = static_cast<std::int64_t>(in.number("taken", INT64_MAX));
  out.sequence = in.number("sequence", INT64_MAX);
  for (const auto& item : in.list("segments")) {
    auto segment = segment_of(item);
    if (!segment) return std::nullopt;
    out.segments.push_back(std::move(*segment));
  }
  for (const auto& item : in.list("files")) {
    auto file = file_of(item);
    if (!file) return std::nullopt;
    out.files.push_back(std::move(*file));
  }
  for (const auto& item : in.list("damaged")) {
    if (!item.is_string()) return std::nullopt;
    out.damaged.emplace_back(item.get_string());
  }
  const auto instance = from_hex(out.instance);
  const bool ascending = std::ranges::is_sorted(out.segments, std::ranges::less_equal{}, &SegmentEntry::number);
  if (!in.good() || !instance || instance->size() != 16 || !ascending) return std::nullopt;
  return out;
}

}  // namespace facteur::backup
