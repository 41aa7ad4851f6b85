#include "message/idn.hpp"

#include <unicode/uidna.h>

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "message/charset.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t longest = 1024;  // Octets of UTF-8 that can still be a name of 255 octets.

// Made once; ICU's object does not change and may be used from any thread.
const UIDNA* rules() {
  static const UIDNA* const made = [] {
    UErrorCode error = U_ZERO_ERROR;
    // RFC 5891 §5: looked up as registered; "ß" and "ς" are letters of their own.
    const UIDNA* idna = uidna_openUTS46(
        UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
        &error);
    return U_SUCCESS(error) ? idna : nullptr;
  }();
  return made;
}

using Convert = int32_t (*)(const UIDNA*, const char*, int32_t, char*, int32_t, UIDNAInfo*, UErrorCode*);

std::optional<std::string> convert(std::string_view domain, Convert how) {
  if (domain.size() > longest || !rules()) return std::nullopt;
  std::array<char, 4 * longest> room{};
  UIDNAInfo outcome = UIDNA_INFO_INITIALIZER;
  UErrorCode error = U_ZERO_ERROR;
  const int32_t length = how(rules(), domain.data(), static_cast<int32_t>(domain.size()), room.data(),
                             static_cast<int32_t>(room.size()), &outcome, &error);
  if (U_FAILURE(error) || outcome.errors != 0 || length < 0) return std::nullopt;
  return std::string(room.data(), static_cast<std::size_t>(length));
}

bool is_ascii(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

std::optional<std::string> to_a_labels(std::string_view domain) {
  if (is_ascii(domain)) return ascii::lower(domain);
  if (!is_utf8(domain)) return std::nullopt;
  auto converted = convert(domain, uidna_nameToASCII_UTF8);
  if (!converted || converted->empty() || !is_ascii(*converted)) return std::nullopt;
  return converted;
}

std::string to_u_labels(std::string_view domain) {
  if (domain.find("xn--") == std::string_view::npos) return std::string(domain);
  return convert(domain, uidna_nameToUnicodeUTF8).value_or(std::string(domain));
}

}  // namespace facteur::message
