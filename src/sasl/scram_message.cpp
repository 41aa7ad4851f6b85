#include "sasl/scram_message.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/base64.hpp"

namespace facteur::sasl {
namespace {

// Takes "x=value" up to the next comma off the front of `rest`; nullopt if it does not begin with `key` and '='.
std::optional<Bytes> attribute(Bytes& rest, char key) {
  if (rest.size() < 2 || rest[0] != key || rest[1] != '=') return std::nullopt;
  const auto comma = rest.find(',');
  const Bytes value = rest.substr(2, comma == Bytes::npos ? Bytes::npos : comma - 2);
  rest.remove_prefix(comma == Bytes::npos ? rest.size() : comma + 1);
  return value;
}

// RFC 5802 §7: printable ASCII without ','.
bool is_nonce(Bytes text) {
  return !text.empty() && text.size() <= 512 &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != ','; });
}

}  // namespace

std::string encode_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ',') {
      out += "=2C";
    } else if (c == '=') {
      out += "=3D";
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<std::string> decode_name(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0' || text[i] == ',') return std::nullopt;
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    const auto code = text.substr(i, 3);
    if (code == "=2C") {
      out += ',';
    } else if (code == "=3D") {
      out += '=';
    } else {
      return std::nullopt;  // RFC 5802 §5.1: the server MUST fail the authentication.
    }
    i += 2;
  }
  return out;
}

std::optional<ClientFirst> parse_client_first(Bytes message) {
  ClientFirst first;
  // RFC 5802 §7: gs2-cbind-flag. "p" asks for channel binding, which mechanisms without -PLUS do not have.
  if (!message.starts_with("n,") && !message.starts_with("y,")) return std::nullopt;
  Bytes rest = message.substr(2);
  if (rest.starts_with("a=")) {
    const auto authorization = attribute(rest, 'a');
    auto decoded = decode_name(*authorization);
    if (!decoded || decoded->empty()) return std::nullopt;
    first.authorization = std::move(*decoded);
  } else if (rest.starts_with(",")) {
    rest.remove_prefix(1);
  } else {
    return std::nullopt;
  }
  first.gs2_header = message.substr(0, message.size() - rest.size());
  first.bare = rest;
  const auto login = attribute(rest, 'n');  // An "m=" before it is a mandatory extension nobody knows: refused.
  const auto nonce = attribute(rest, 'r');
  if (!login || !nonce || !is_nonce(*nonce)) return std::nullopt;
  auto decoded = decode_name(*login);
  if (!decoded || decoded->empty()) return std::nullopt;
  first.login = std::move(*decoded);
  first.nonce = *nonce;
  return first;
}

std::optional<ServerFirst> parse_server_first(Bytes message) {
  Bytes rest = message;
  const auto nonce = attribute(rest, 'r');
  const auto salt = attribute(rest, 's');
  const auto iterations = attribute(rest, 'i');
  if (!nonce || !salt || !iterations || !is_nonce(*nonce)) return std::nullopt;
  auto octets = from_base64(*salt);
  const auto count = ascii::number<std::uint32_t>(*iterations);
  if (!octets || octets->empty() || !count) return std::nullopt;
  return ServerFirst{.nonce = std::string(*nonce), .salt = std::move(*octets), .iterations = *count};
}

std::optional<ClientFinal> parse_client_final(Bytes message) {
  Bytes rest = message;
  const auto binding = attribute(rest, 'c');
  const auto nonce = attribute(rest, 'r');
  if (!binding || !nonce) return std::nullopt;
  // Extensions may stand between; the proof is the last attribute.
  const auto at = message.rfind(",p=");
  if (at == Bytes::npos) return std::nullopt;
  auto proof = from_base64(message.substr(at + 3));
  auto decoded = from_base64(*binding);
  if (!proof || !decoded) return std::nullopt;
  return ClientFinal{.binding = std::move(*decoded),
                     .nonce = std::string(*nonce),
                     .proof = std::move(*proof),
                     .without_proof = message.substr(0, at)};
}

}  // namespace facteur::sasl
