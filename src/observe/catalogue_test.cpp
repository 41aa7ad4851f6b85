#include "observe/catalogue.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "observe/timestamp.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::observe;

namespace {

std::size_t places(std::string_view text) {
  std::size_t count = 0;
  for (auto at = text.find("{}"); at != std::string_view::npos; at = text.find("{}", at + 2)) ++count;
  return count;
}

}  // namespace

TEST_CASE("every phrase exists in both languages, with the same places, once, in order") {
  std::string_view before;
  for (const auto& phrase : phrases()) {
    CAPTURE(phrase.key);
    CHECK(phrase.key > before);
    before = phrase.key;
    CHECK(!phrase.en.empty());
    CHECK(!phrase.fr.empty());
    CHECK(places(phrase.en) == places(phrase.fr));
  }
}

TEST_CASE("phrases are found and filled") {
  CHECK(say(Language::en, "account.added", {"anne@example.org"}) == "anne@example.org has an account here now");
  CHECK(say(Language::fr, "account.added", {"{}"}) == "{} a maintenant un compte ici");
  CHECK(say(Language::fr, "no such phrase") == "<no such phrase>");
  CHECK(say(Language::en, "done", {"more", "values"}) == "Done");
}

TEST_CASE("the language comes from the locale") {
  CHECK(language_of("fr") == Language::fr);
  CHECK(language_of("fr_CA.UTF-8") == Language::fr);
  CHECK(language_of("frr_DE") == Language::en);
  CHECK(language_of("C") == Language::en);
  CHECK(language_of("") == Language::en);
}

TEST_RFC("3339 §5.6", "times are written with milliseconds, in UTC") {
  CHECK(to_iso8601(UtcTime{1'700'000'000'123}) == "2023-11-14T22:13:20.123Z");
  CHECK(to_iso8601(UtcTime{-1}) == "1969-12-31T23:59:59.999Z");
  CHECK(to_iso8601(UtcTime{4'102'444'800'000}) == "2100-01-01T00:00:00.000Z");
}
