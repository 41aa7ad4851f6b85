#include "message/maildir.hpp"

#include "rfc_test.hpp"

namespace facteur::message {
namespace {

TEST_CASE("Maildir: names of files with flags, keywords and sizes") {
  auto name = parse_maildir_name("1204680122.M1P2.host,S=2326,W=2372:2,DFPRSTba");
  CHECK(name.base == "1204680122.M1P2.host");
  CHECK(name.size == 2326);
  CHECK(name.vsize == 2372);
  CHECK(name.delivered() == UtcTime{1'204'680'122'000});
  MailState all{.seen = true, .answered = true, .flagged = true, .draft = true, .deleted = true};
  all.keywords = {"$Forwarded"};
  CHECK(name.state == all);
  CHECK(name.letters == "ba");
  CHECK(write_maildir_name(name) == "1204680122.M1P2.host,S=2326,W=2372:2,DFPRSTab");
  CHECK_FALSE(is_verbatim(name, 2326));
  CHECK(is_verbatim(name, 2372));

  name = parse_maildir_name("1204680122.x,y,z,S=no");
  CHECK(name.base == "1204680122.x,y,z,S=no");
  CHECK(name.state == MailState{});
  CHECK_FALSE(is_verbatim(name, 10));
  CHECK(parse_maildir_name("a!2,S").state.seen);
  CHECK(parse_maildir_name("a;2,S").base == "a");
  CHECK_FALSE(parse_maildir_name("a:2,S,x=R").state.answered);
  CHECK_FALSE(parse_maildir_name("a:1,S").state.seen);  // "1," is experimental: no flags.
  for (const auto* odd : {"", ",", ",,", ":2,", ",S=1", "99999999999999999999999.x"}) {
    const auto parsed = parse_maildir_name(odd);
    CHECK(parse_maildir_name(write_maildir_name(parsed)).base == parsed.base);
  }
}

TEST_CASE("Maildir: keywords as Dovecot keeps them") {
  auto keywords = MaildirKeywords::parse("0 work\n2 $Junk\n26 beyond\nx y\n1 not a keyword\n3\n");
  CHECK(keywords.keyword('a') == "work");
  CHECK(keywords.keyword('c') == "$Junk");
  CHECK(keywords.keyword('d').empty());
  CHECK(keywords.letter("WORK") == 'a');
  CHECK(keywords.letter("new") == 'b');
  CHECK(keywords.write() == "0 work\n1 new\n2 $Junk\n");
  for (int i = 0; i < 23; ++i) CHECK(keywords.letter("k" + std::to_string(i)));
  CHECK_FALSE(keywords.letter("one-too-many"));
  CHECK(keywords.letter("k3") == 'g');
}

TEST_CASE("Maildir++: folders") {
  CHECK(parse_maildir_folder(".Lists.dev") == std::vector<std::string>{"Lists", "dev"});
  for (const auto* none : {"", ".", "..", "cur", "..a", ".a.", ".a..b"}) CHECK(parse_maildir_folder(none).empty());
  CHECK(write_maildir_folder({"Lists", "dev"}) == ".Lists.dev");
}

}  // namespace
}  // namespace facteur::message
