#include "roles/key_protocol.hpp"

#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::roles;

TEST_CASE("messages between server and keys come back as they were, and no part of one is taken for a whole") {
  AskUse use{.key = {1, 2, 3}, .operation = crypto::KeyOperation::rsa_pkcs1, .input = std::string("a\0b", 3)};
  for (const KeyRequest& request : {KeyRequest{7, AskCertificates{}}, KeyRequest{0xffff'ffff'ffff'fff0U, use}}) {
    const std::string text = write(request);
    CHECK(read_request(text) == request);
    for (std::size_t i = 0; i < text.size(); ++i) CHECK(!read_request(text.substr(0, i)));
    CHECK(!read_request(text + "x"));
    CHECK(!read_reply(text));
  }
  for (const KeyReply& reply : {KeyReply{1, true, {}}, KeyReply{2, true, {"one", ""}}, KeyReply{3, false, {"why"}}}) {
    const std::string text = write(reply);
    CHECK(read_reply(text) == reply);
    CHECK(!read_reply(text + "x"));
    CHECK(!read_request(text));
  }
  const std::string parts = write(KeyReply{2, true, {"one"}});
  for (std::size_t i = 0; i < parts.size(); ++i) CHECK(read_reply(parts.substr(0, i)) != KeyReply{2, true, {"one"}});
  CHECK(!read_reply(parts.substr(0, parts.size() - 1)));
}

TEST_CASE("operations that do not exist and inputs that are too long are no messages") {
  std::string text = write(KeyRequest{1, AskUse{.key = {}, .operation = crypto::KeyOperation::ecdsa, .input = "x"}});
  for (const char operation : {'\0', '\4', '\377'}) {
    text[9 + 32] = operation;
    CHECK(!read_request(text));
  }
  const std::string longest(longest_input + 1, 'x');
  CHECK(!read_request(write(KeyRequest{1, AskUse{{}, crypto::KeyOperation::ecdsa, longest}})));
  CHECK(read_request(write(KeyRequest{1, AskUse{{}, crypto::KeyOperation::ecdsa, longest.substr(1)}})));
}
