// What the program says to people, in English and French: one table, each key with both texts.
//
// Texts may hold "{}" places, which say() fills in order. Protocol words stay as they are in both languages.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace facteur::observe {

enum class Language : std::uint8_t { en, fr };

// "fr", "fr_FR.UTF-8" -> French; all else English.
Language language_of(std::string_view locale);

struct Phrase {
  std::string_view key;
  std::string_view en;
  std::string_view fr;
};

// All phrases of the program, sorted by key.
std::span<const Phrase> phrases();

// The text of `key` with its places filled; the key itself in angle brackets if there is none (a test finds those).
std::string say(Language language, std::string_view key, std::initializer_list<std::string_view> values = {});

}  // namespace facteur::observe
