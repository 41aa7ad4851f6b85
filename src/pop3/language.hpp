// The texts of replies in the languages of LANG (RFC 6856 §3).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace facteur::pop3 {

enum class Language : std::uint8_t { english, french };

// A tag or its beginning ("fr-CA" is French); "*" is the default. nullopt: not spoken here.
std::optional<Language> find_language(std::string_view tag);

// Every sentence a session may say, in the order of the table in language.cpp.
enum class Say : std::uint8_t {
  ready,
  bye,
  bye_deleted,
  capabilities,
  user_taken,
  logged_in,
  wrong_login,
  need_tls,
  need_user,
  not_here,
  unknown,
  syntax,
  too_long,
  too_many_errors,
  cancelled,
  bad_base64,
  no_mechanism,
  mechanisms,
  begin_tls,
  already_tls,
  no_tls,
  maildrop,
  listing,
  no_message,
  deleted_already,
  deleted,
  nothing_done,
  reset,
  message_follows,
  top_follows,
  unique_ids,
  last,
  utf8_on,
  languages,
  language_set,
  no_language,
  try_later,
  stopping,
  some_left,
  in_use,
  missing,
};
std::string_view said(Say what, Language language);

}  // namespace facteur::pop3
