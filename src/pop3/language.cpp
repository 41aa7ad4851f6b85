#include "pop3/language.hpp"

#include <array>

#include "base/ascii.hpp"

namespace facteur::pop3 {
namespace {

struct Sentence {
  std::string_view english;
  std::string_view french;
};

// In the order of Say. "{}" is filled in by the caller.
constexpr std::array<Sentence, 41> sentences = {{
    {"ready", "prêt"},
    {"bye", "au revoir"},
    {"bye, deleted messages are gone", "au revoir, les messages effacés sont partis"},
    {"what this server can do", "ce que ce serveur sait faire"},
    {"now the password", "le mot de passe, maintenant"},
    {"{} messages ({} octets)", "{} messages ({} octets)"},
    {"wrong login or password", "identifiant ou mot de passe incorrect"},
    {"use TLS first (STLS)", "d'abord TLS (STLS)"},
    {"USER first", "d'abord USER"},
    {"not in this state", "pas dans cet état"},
    {"unknown command", "commande inconnue"},
    {"wrong arguments", "arguments incorrects"},
    {"line too long", "ligne trop longue"},
    {"too many errors", "trop d'erreurs"},
    {"cancelled", "abandonné"},
    {"not base64", "ce n'est pas du base64"},
    {"no such mechanism", "mécanisme inconnu"},
    {"mechanisms", "mécanismes"},
    {"begin TLS", "commencez TLS"},
    {"TLS is in use already", "TLS est déjà en service"},
    {"no TLS here", "pas de TLS ici"},
    {"{} {}", "{} {}"},
    {"{} messages ({} octets)", "{} messages ({} octets)"},
    {"no such message", "ce message n'existe pas"},
    {"message {} is deleted already", "le message {} est déjà effacé"},
    {"message {} deleted", "message {} effacé"},
    {"nothing done", "rien n'est fait"},
    {"{} messages ({} octets)", "{} messages ({} octets)"},
    {"{} octets", "{} octets"},
    {"header and lines follow", "voici l'en-tête et les lignes"},
    {"unique ids", "identifiants uniques"},
    {"{}", "{}"},
    {"UTF-8 from now on", "UTF-8 désormais"},
    {"languages", "langues"},
    {"texts in English", "textes en français"},
    {"no such language", "langue inconnue"},
    {"try again later", "réessayez plus tard"},
    {"closing this connection: come again later", "fin de la connexion : revenez plus tard"},
    {"some messages could not be deleted", "des messages n'ont pas pu être effacés"},
    {"the mailbox is in use by another POP3 session", "la boîte est utilisée par une autre session POP3"},
    {"the message is gone", "le message a disparu"},
}};

}  // namespace

std::optional<Language> find_language(std::string_view tag) {
  const std::string_view primary = tag.substr(0, tag.find('-'));
  if (primary == "*" || ascii::equal_ignoring_case(primary, "en") || ascii::equal_ignoring_case(tag, "i-default")) {
    return Language::english;
  }
  if (ascii::equal_ignoring_case(primary, "fr")) return Language::french;
  return std::nullopt;
}

std::string_view said(Say what, Language language) {
  static_assert(sentences.size() == static_cast<std::size_t>(Say::missing) + 1);
  const auto& sentence = sentences[static_cast<std::size_t>(what)];
  return language == Language::french ? sentence.french : sentence.english;
}

}  // namespace facteur::pop3
