// Strong integers: ids and numbers of the mail world that cannot be mixed up by accident.
//   struct UidTag; using Uid = Strong<UidTag, std::uint32_t>;
// Comparing a Uid with a sequence number does not compile.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace facteur {

template <class Tag, class Rep>
struct Strong {
  using Representation = Rep;
  Rep value{};

  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}

  friend constexpr auto operator<=>(Strong, Strong) = default;
  constexpr explicit operator bool() const { return value != Rep{}; }  // 0 is never an id.
};

}  // namespace facteur

template <class Tag, class Rep>
struct std::hash<facteur::Strong<Tag, Rep>> {
  std::size_t operator()(facteur::Strong<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
