// The folders that the store makes in the data folder. Who shuts the data folder off, or copies what else lies there,
// must know all of them.
#pragma once

#include <array>
#include <string_view>

namespace facteur::store {

inline constexpr std::string_view check_folder = "check";  // The second index, while the first is compared with it.
inline constexpr std::array<std::string_view, 4> own_folders{"log", "index", "ballast", check_folder};

// Lies beside the log of a folder that came out of a backup, until its mailboxes are numbered anew.
inline constexpr std::string_view restored_mark = "log/restored";

}  // namespace facteur::store
