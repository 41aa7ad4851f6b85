#include "observe/catalogue.hpp"

#include <algorithm>

#include "observe/phrases.hpp"

namespace facteur::observe {

Language language_of(std::string_view locale) {
  return locale == "fr" || locale.starts_with("fr_") || locale.starts_with("fr.") || locale.starts_with("fr-")
             ? Language::fr
             : Language::en;
}

std::span<const Phrase> phrases() { return all_phrases; }

std::string say(Language language, std::string_view key, std::initializer_list<std::string_view> values) {
  const auto* found = std::ranges::lower_bound(all_phrases, key, {}, &Phrase::key);
  if (found == std::end(all_phrases) || found->key != key) return "<" + std::string(key) + ">";
  std::string_view text = language == Language::fr ? found->fr : found->en;
  std::string out;
  for (const auto& value : values) {
    const auto place = text.find("{}");
    if (place == std::string_view::npos) break;
    out += text.substr(0, place);
    out += value;
    text.remove_prefix(place + 2);
  }
  return out += text;
}

}  // namespace facteur::observe
