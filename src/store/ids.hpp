// The ids that everything on disk is keyed by (DATA-MODEL.md section 1). 48-bit ones are never reused.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

#include "base/strong.hpp"

namespace facteur::store {

// Account 0 is the server's own: directory, queue, outbox (DECISIONS.md 2).
struct AccountIdTag;
using AccountId = Strong<AccountIdTag, std::uint32_t>;
inline constexpr AccountId server_account{0};

// SHA-256 of the content as received: the name of a blob.
struct BlobId {
  std::array<std::uint8_t, 32> digest{};

  std::string_view bytes() const { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }
  static BlobId from(std::string_view thirty_two_octets) {
    BlobId id;
    if (thirty_two_octets.size() == 32) std::memcpy(id.digest.data(), thirty_two_octets.data(), 32);
    return id;
  }
  friend auto operator<=>(const BlobId&, const BlobId&) = default;
};

}  // namespace facteur::store

template <>
struct std::hash<facteur::store::BlobId> {
  std::size_t operator()(const facteur::store::BlobId& id) const noexcept {
    std::size_t value;
    std::memcpy(&value, id.digest.data(), sizeof value);
    return value;
  }
};
