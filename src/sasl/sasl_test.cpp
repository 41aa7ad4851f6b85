// Both sides of every mechanism against each other, against the examples of the RFCs, and against damaged input.
#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/base64.hpp"
#include "rfc_test.hpp"
#include "sasl/client.hpp"
#include "sasl/scram_message.hpp"
#include "sasl/server.hpp"

namespace facteur::sasl {
namespace {

// A directory with one account.
struct Account {
  std::string login = "anne";
  std::string password = "secret, with = signs";
  bool opted_in = true;
};

struct Outcome {
  bool accepted = false;
  bool malformed = false;
  Credentials credentials;
};

Step look_up(ServerExchange& server, const FetchVerifier& fetch, const Account& account) {
  if (fetch.login != account.login) return server.verifier(std::nullopt);
  if (fetch.mechanism == Mechanism::cram_md5) {
    Verifier verifier;
    verifier.secret = account.password;
    return server.verifier(account.opted_in ? std::optional(verifier) : std::nullopt);
  }
  return server.verifier(make_scram_verifier(fetch.mechanism, account.password, "0123456789abcdef", 4096));
}

// Runs one exchange with the real client.
Outcome run(Mechanism mechanism, const ClientExchange::Parameters& parameters, const Account& account, bool initial) {
  ClientExchange client(mechanism, parameters);
  ServerExchange server({.hostname = "mx.example.org", .nonce = fresh_nonce("0123456789abcdef", 7)});
  std::optional<std::string> first = initial ? client.initial() : std::nullopt;
  Outcome outcome;
  Step step = server.start(mechanism, first ? std::optional<Bytes>(*first) : std::nullopt);
  bool begun = first.has_value();
  for (int turns = 0; turns < 10; ++turns) {
    if (const auto* challenge = std::get_if<Challenge>(&step)) {
      std::optional<std::string> text;
      if (!begun) text = client.initial();
      if (!text) {
        auto answer = client.answer(challenge->octets);
        REQUIRE(answer);
        text = *answer;
      }
      begun = true;
      step = server.response(*text);
    } else if (const auto* fetch = std::get_if<FetchVerifier>(&step)) {
      step = look_up(server, *fetch, account);
    } else if (auto* check = std::get_if<CheckCredentials>(&step)) {
      outcome.credentials = check->credentials;
      const bool good = outcome.credentials.proof == Credentials::Proof::proven ||
                        (outcome.credentials.proof == Credentials::Proof::password &&
                         outcome.credentials.password == account.password);
      step = server.checked(good && outcome.credentials.login == account.login);
    } else {
      const auto& done = std::get<Done>(step);
      outcome.accepted = done.accepted;
      outcome.malformed = done.malformed;
      if (done.accepted) CHECK(client.complete());
      return outcome;
    }
  }
  FAIL("the exchange did not end");
  return outcome;
}

constexpr std::array all{Mechanism::plain, Mechanism::login, Mechanism::cram_md5, Mechanism::scram_sha_1,
                         Mechanism::scram_sha_256};

}  // namespace

TEST_RFC("4422 §3", "client and server agree on the right password, in every mechanism") {
  for (const auto mechanism : all) {
    for (const bool initial : {true, false}) {
      CAPTURE(name(mechanism));
      CAPTURE(initial);
      const Account account;
      const auto good =
          run(mechanism, {.login = "anne", .password = account.password, .authorization = "", .nonce = "abc"}, account,
              initial);
      CHECK(good.accepted);
      CHECK(good.credentials.login == "anne");
      const auto bad =
          run(mechanism, {.login = "anne", .password = "guess", .authorization = "", .nonce = "abc"}, account, initial);
      CHECK_FALSE(bad.accepted);
      CHECK_FALSE(bad.malformed);
      const auto nobody =
          run(mechanism, {.login = "bob", .password = account.password, .authorization = "", .nonce = "abc"}, account,
              initial);
      CHECK_FALSE(nobody.accepted);
    }
  }
}

TEST_RFC("4422 §3.4.1", "an authorization identity comes through PLAIN and SCRAM") {
  for (const auto mechanism : {Mechanism::plain, Mechanism::scram_sha_256}) {
    const Account account;
    const auto outcome =
        run(mechanism, {.login = "anne", .password = account.password, .authorization = "b,o=b", .nonce = "abc"},
            account, true);
    CHECK(outcome.accepted);
    CHECK(outcome.credentials.authorization == "b,o=b");
  }
}

TEST_RFC("5802 §5", "the example of SCRAM-SHA-1, both sides") {
  ServerExchange server({.hostname = "h", .nonce = "3rfcNHYJY1ZVvWVs7j"});
  const auto salt = from_base64("QSXCR+Q6sek8bf92").value();
  auto step = server.start(Mechanism::scram_sha_1, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
  REQUIRE(std::holds_alternative<FetchVerifier>(step));
  CHECK(std::get<FetchVerifier>(step).login == "user");
  step = server.verifier(make_scram_verifier(Mechanism::scram_sha_1, "pencil", salt, 4096));
  CHECK(std::get<Challenge>(step).octets == "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
  step = server.response("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  REQUIRE(std::holds_alternative<CheckCredentials>(step));
  CHECK(std::get<CheckCredentials>(step).credentials.proof == Credentials::Proof::proven);
  step = server.checked(true);
  CHECK(std::get<Challenge>(step).octets == "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
  step = server.response("");
  CHECK(std::get<Done>(step).accepted);

  ClientExchange client(
      Mechanism::scram_sha_1,
      {.login = "user", .password = "pencil", .authorization = "", .nonce = "fyko+d2lbbFgONRv9qkxdawL"});
  CHECK(client.initial() == "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
  CHECK(client.answer("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096").value() ==
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  CHECK_FALSE(client.complete());
  CHECK(client.answer("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").value().empty());
  CHECK(client.complete());
}

TEST_RFC("7677 §3", "the example of SCRAM-SHA-256, both sides") {
  ServerExchange server({.hostname = "h", .nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"});
  const auto salt = from_base64("W22ZaJ0SNY7soEsUEjb6gQ==").value();
  auto step = server.start(Mechanism::scram_sha_256, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  step = server.verifier(make_scram_verifier(Mechanism::scram_sha_256, "pencil", salt, 4096));
  CHECK(std::get<Challenge>(step).octets ==
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  step = server.response(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  step = server.checked(std::get<CheckCredentials>(step).credentials.proof == Credentials::Proof::proven);
  CHECK(std::get<Challenge>(step).octets == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_RFC("2195 §2", "the example of CRAM-MD5, the client's side; lecture 001 shows the same exchange") {
  ClientExchange client(Mechanism::cram_md5,
                        {.login = "tim", .password = "tanstaaftanstaaf", .authorization = "", .nonce = ""});
  CHECK_FALSE(client.initial());
  CHECK(client.answer("<1896.697170952@postoffice.reston.mci.net>").value() == "tim b913a602c7eda7a495b4e6e7334d3890");
  // The server of lecture 001 sends this challenge; the response there belongs to the user "cjs3".
  CHECK(from_base64("PDQxOTI5NDIzNDEuMTI4Mjg0NzJAc291cmNlZm91ci5hbmRyZXcuY211LmVkdT4=") ==
        "<4192942341.12828472@sourcefour.andrew.cmu.edu>");
}

TEST_RFC("4616 §2", "PLAIN takes exactly three parts") {
  struct Case {
    std::string message;
    bool good;
  };
  using namespace std::string_literals;
  const std::vector<Case> cases{{"\0anne\0secret"s, true},
                                {"x\0anne\0secret"s, true},
                                {"\0anne\0"s, true},
                                {"anne\0secret"s, false},
                                {"anne"s, false},
                                {""s, false},
                                {"\0\0secret"s, false},
                                {"\0anne\0se\0cret"s, false},
                                {"\0anne\0"s + std::string(5000, 'x'), false}};
  for (const auto& [message, good] : cases) {
    ServerExchange server({.hostname = "h", .nonce = "n"});
    const auto step = server.start(Mechanism::plain, message);
    CHECK(std::holds_alternative<CheckCredentials>(step) == good);
    if (!good) CHECK(std::get<Done>(step).malformed);
  }
}

TEST_RFC("5802 §7", "a client does not take a server that cannot prove itself") {
  const ClientExchange::Parameters parameters{
      .login = "user", .password = "pencil", .authorization = "", .nonce = "abc"};
  for (const auto* first :
       {"", "r=abc,s=QSXCR+Q6sek8bf92,i=4096", "r=xyzabc,s=QSXCR+Q6sek8bf92,i=4096", "r=abcd,s=QSXCR+Q6sek8bf92,i=1",
        "r=abcd,s=QSXCR+Q6sek8bf92,i=4294967295", "r=abcd,s=,i=4096", "r=abcd,s=!,i=4096", "e=other-error"}) {
    ClientExchange client(Mechanism::scram_sha_256, parameters);
    CHECK(client.initial());
    CHECK_FALSE(client.answer(first));
  }
  ClientExchange client(Mechanism::scram_sha_256, parameters);
  CHECK(client.initial());
  CHECK(client.answer("r=abcd,s=QSXCR+Q6sek8bf92,i=4096"));
  CHECK_FALSE(client.answer("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
  CHECK_FALSE(client.complete());
}

TEST_RFC("5802 §5.1", "a proof of another exchange, a changed binding and a bad name are refused") {
  const auto begin = [](ServerExchange& server, std::string_view first) {
    auto step = server.start(Mechanism::scram_sha_256, first);
    if (std::holds_alternative<Done>(step)) return step;
    return server.verifier(make_scram_verifier(Mechanism::scram_sha_256, "pencil", "0123456789abcdef", 4096));
  };
  for (const auto* first : {"", "n", "n,", "n,,", "n,,n=user", "n,,n=us=er,r=abc", "n,,n=,r=abc", "n,,n=user,r=",
                            "p=tls-unique,,n=user,r=abc", "x,,n=user,r=abc", "n,,m=ext,n=user,r=abc", "n,a=,n=u,r=a"}) {
    CAPTURE(first);
    ServerExchange server({.hostname = "h", .nonce = "N"});
    const auto step = begin(server, first);
    REQUIRE(std::holds_alternative<Done>(step));
    CHECK(std::get<Done>(step).malformed);
  }
  for (const auto* last : {"", "c=biws", "c=biws,r=abcN", "c=biws,r=abc,p=AAAA", "c=eSws,r=abcN,p=AAAA",
                           "c=!,r=abcN,p=AAAA", "c=biws,r=abcN,p=!"}) {
    CAPTURE(last);
    ServerExchange server({.hostname = "h", .nonce = "N"});
    begin(server, "n,,n=user,r=abc");
    const auto step = server.response(last);
    REQUIRE(std::holds_alternative<Done>(step));
    CHECK(std::get<Done>(step).malformed);
  }
}

TEST_RFC("4422 §3", "truncated at every octet and changed at every octet, a login never succeeds and never crashes") {
  const std::string good_first = "n,,n=user,r=abc";
  for (std::size_t length = 0; length < good_first.size(); ++length) {
    ServerExchange server({.hostname = "h", .nonce = "N"});
    auto step = server.start(Mechanism::scram_sha_256, Bytes(good_first).substr(0, length));
    if (std::holds_alternative<FetchVerifier>(step)) step = server.verifier(std::nullopt);
    CHECK_FALSE((std::holds_alternative<Done>(step) && std::get<Done>(step).accepted));
  }
  std::mt19937 random(1);
  const std::string plain("\0anne\0secret", 12);
  for (int i = 0; i < 2000; ++i) {
    auto text = plain;
    text[random() % text.size()] = static_cast<char>(random());
    for (const auto mechanism : all) {
      ServerExchange server({.hostname = "h", .nonce = "N"});
      auto step = server.start(mechanism, std::nullopt);
      for (int turn = 0; turn < 6 && !std::holds_alternative<Done>(step); ++turn) {
        if (std::holds_alternative<Challenge>(step)) step = server.response(text);
        if (std::holds_alternative<FetchVerifier>(step)) step = server.verifier(std::nullopt);
        if (std::holds_alternative<CheckCredentials>(step)) step = server.checked(false);
      }
      REQUIRE(std::holds_alternative<Done>(step));
      CHECK_FALSE(std::get<Done>(step).accepted);
    }
  }
}

TEST_CASE("the client prefers what shows no password, and never shows one without TLS") {
  using M = Mechanism;
  CHECK(choose(std::array{M::plain, M::login, M::cram_md5, M::scram_sha_256}, true) == M::scram_sha_256);
  CHECK(choose(std::array{M::plain, M::cram_md5}, true) == M::plain);
  CHECK(choose(std::array{M::plain, M::cram_md5}, false) == M::cram_md5);
  CHECK(choose(std::array{M::login}, true) == M::login);
  CHECK(choose(std::array{M::plain, M::login}, false) == std::nullopt);
  CHECK(parse_mechanism("scram-sha-256") == M::scram_sha_256);
  CHECK(parse_mechanism("GSSAPI") == std::nullopt);
}

TEST_CASE("nonces of one session differ, and are printable without commas") {
  const auto a = fresh_nonce("0123456789abcdef", 1);
  CHECK(a != fresh_nonce("0123456789abcdef", 2));
  CHECK(a != fresh_nonce("0123456789abcdeg", 1));
  CHECK(a.size() == 36);
  CHECK(decode_name(encode_name("a,b=c")) == "a,b=c");
  CHECK(decode_name("a=2Db") == std::nullopt);
}

}  // namespace facteur::sasl
