// RELIABILITY G8: a client's or a server's side of an exchange costs in proportion to its octets.
#include <array>

#include "growth_test.hpp"
#include "sasl/scram_message.hpp"
#include "sasl/server.hpp"

namespace facteur::sasl {
namespace {

using hostile::Input;
using hostile::repeated;
using hostile::under;

TEST_CASE("hostile responses cost in proportion to their octets") {
  const std::array<Input, 8> responses{{
      {"NULs", [](std::size_t n) { return std::string(n, '\0'); }},
      {"commas", [](std::size_t n) { return under("n,,n=a,r=b", ",", n); }},
      {"attributes", [](std::size_t n) { return under("n,,n=a,r=b", ",x=y", n); }},
      {"an encoded name", [](std::size_t n) { return under("n,,n=", "=2C", n) + ",r=b"; }},
      {"an authorisation", [](std::size_t n) { return under("n,a=", "=3D", n) + ",n=a,r=b"; }},
      {"a nonce", [](std::size_t n) { return under("n,,n=a,r=", "b", n); }},
      {"a proof", [](std::size_t n) { return under("c=biws,r=b,p=", "AAAA", n); }},
      {"a binding", [](std::size_t n) { return under("c=", "biws", n) + ",r=b,p=AAAA"; }},
  }};
  const auto read = [](const std::string& text) {
    for (const auto mechanism : {Mechanism::plain, Mechanism::login, Mechanism::cram_md5, Mechanism::scram_sha_256}) {
      ServerExchange exchange({"mx.example.org", "0123456789"});
      auto step = exchange.start(mechanism, std::nullopt);
      if (std::holds_alternative<Challenge>(step)) step = exchange.response(text);
      if (std::holds_alternative<FetchVerifier>(step)) step = exchange.verifier(std::nullopt);
    }
    (void)parse_client_first(text);
    (void)parse_client_final(text);
    (void)parse_server_first(text);
    (void)decode_name(text);
    (void)encode_name(text);
  };
  for (const auto& input : responses) growth::check(input, 100'000, read);
}

}  // namespace
}  // namespace facteur::sasl
