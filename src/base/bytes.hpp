// Borrowed memory: what a function reads from (Bytes) and what it may fill (Room).
//
// Both are views. They are never members of an object that outlives the call, and never kept across a co_await unless
// the comment at that place says until when they stay valid.
#pragma once

#include <span>
#include <string_view>

namespace facteur {

using Bytes = std::string_view;  // Borrowed octets to read; any value, NUL included.
using Room = std::span<char>;    // Borrowed octets to write.

}  // namespace facteur
