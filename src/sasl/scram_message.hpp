// The messages of SCRAM (RFC 5802 §7), as both sides read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::sasl {

// gs2-header and client-first-message-bare.
struct ClientFirst {
  std::string authorization;
  std::string login;
  std::string nonce;
  Bytes gs2_header;  // "n,,": what c= repeats in base64.
  Bytes bare;
};
std::optional<ClientFirst> parse_client_first(Bytes message);

struct ServerFirst {
  std::string nonce;
  std::string salt;  // Octets.
  std::uint32_t iterations = 0;
};
std::optional<ServerFirst> parse_server_first(Bytes message);

struct ClientFinal {
  std::string binding;  // c=, decoded.
  std::string nonce;
  std::string proof;    // p=, decoded.
  Bytes without_proof;  // What the signature covers.
};
std::optional<ClientFinal> parse_client_final(Bytes message);

// RFC 5802 §5.1: ',' and '=' in names are "=2C" and "=3D".
std::string encode_name(std::string_view text);
std::optional<std::string> decode_name(std::string_view text);

}  // namespace facteur::sasl
