#include "crypto/password.hpp"

#include <argon2.h>
#include <openssl/evp.h>

#include <array>
#include <vector>

#include "base/ascii.hpp"

namespace facteur::crypto {

namespace {

constexpr std::uint32_t hash_length = 32;
constexpr std::uint32_t most_memory_kib = 1024 * 1024, most_passes = 100, most_lanes = 16;
constexpr std::size_t most_encoded = 512, most_password = 4096;

bool in_range(const Argon2Cost& cost) {
  return cost.memory_kib >= 8 * cost.lanes && cost.memory_kib <= most_memory_kib && cost.passes >= 1 &&
         cost.passes <= most_passes && cost.lanes >= 1 && cost.lanes <= most_lanes;
}

// The text of `phc` up to the next '$', which is removed from it, too.
std::string_view next_part(std::string_view& phc) {
  const std::size_t end = phc.find('$');
  const std::string_view part = phc.substr(0, end);
  phc.remove_prefix(end == phc.npos ? phc.size() : end + 1);
  return part;
}

std::optional<std::uint32_t> setting(std::string_view part, std::string_view name) {
  if (!part.starts_with(name)) return std::nullopt;
  return ascii::number<std::uint32_t>(part.substr(name.size()));
}

struct Phc {
  argon2_type type;
  Argon2Cost cost;
};

std::optional<argon2_type> type_named(std::string_view name) {
  if (name == "argon2id") return Argon2_id;
  if (name == "argon2i") return Argon2_i;
  if (name == "argon2d") return Argon2_d;
  return std::nullopt;
}

// Reads "$argon2id$v=19$m=..,t=..,p=..$": the cost must be known before libargon2 is let loose on the string.
std::optional<Phc> parse(std::string_view phc) {
  if (phc.size() > most_encoded || phc.find('\0') != phc.npos || !phc.starts_with('$')) return std::nullopt;
  phc.remove_prefix(1);
  const auto type = type_named(next_part(phc));
  if (!type || next_part(phc) != "v=19") return std::nullopt;
  std::string_view costs = next_part(phc);
  std::array<std::string_view, 3> parts;
  for (auto& part : parts) {
    const std::size_t comma = costs.find(',');
    part = costs.substr(0, comma);
    costs.remove_prefix(comma == costs.npos ? costs.size() : comma + 1);
  }
  const auto memory = setting(parts[0], "m="), passes = setting(parts[1], "t="), lanes = setting(parts[2], "p=");
  if (!costs.empty() || !memory || !passes || !lanes) return std::nullopt;
  const Argon2Cost cost{*memory, *passes, *lanes};
  if (!in_range(cost)) return std::nullopt;
  return Phc{*type, cost};
}

template <class Digest>
Digest pbkdf2(const EVP_MD* hash, Bytes password, Bytes salt, std::uint32_t iterations) {
  Digest digest;
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                    reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                    static_cast<int>(iterations), hash, static_cast<int>(digest.octets.size()), digest.octets.data());
  return digest;
}

}  // namespace

Result<std::string> argon2id_hash(Bytes password, Bytes salt, const Argon2Cost& cost) {
  if (!in_range(cost) || salt.size() < 8 || salt.size() > 64 || password.size() > most_password) {
    return failure(Failure::Kind::permanent, "F-1000", "The password cannot be stored", "argon2 cost, salt or length");
  }
  std::vector<char> encoded(argon2_encodedlen(cost.passes, cost.memory_kib, cost.lanes,
                                              static_cast<std::uint32_t>(salt.size()), hash_length, Argon2_id));
  const int error = argon2id_hash_encoded(cost.passes, cost.memory_kib, cost.lanes, password.data(), password.size(),
                                          salt.data(), salt.size(), hash_length, encoded.data(), encoded.size());
  if (error != ARGON2_OK) {
    return failure(Failure::Kind::temporary, "F-1001", "The password cannot be stored now",
                   argon2_error_message(error));
  }
  return std::string(encoded.data());
}

Result<bool> argon2_verify(std::string_view phc, Bytes password) {
  const auto parsed = parse(phc);
  if (!parsed) return failure(Failure::Kind::corrupt, "F-1002", "The stored password cannot be read", "not a PHC text");
  if (password.size() > most_password) return false;
  const int error = ::argon2_verify(std::string(phc).c_str(), password.data(), password.size(), parsed->type);
  if (error == ARGON2_OK) return true;
  if (error == ARGON2_VERIFY_MISMATCH) return false;
  if (error == ARGON2_MEMORY_ALLOCATION_ERROR || error == ARGON2_THREAD_FAIL) {
    return failure(Failure::Kind::temporary, "F-1003", "The password cannot be checked now",
                   argon2_error_message(error));
  }
  return failure(Failure::Kind::corrupt, "F-1004", "The stored password cannot be read", argon2_error_message(error));
}

bool argon2_outdated(std::string_view phc, const Argon2Cost& cost) {
  const auto parsed = parse(phc);
  return !parsed || parsed->type != Argon2_id || parsed->cost.memory_kib != cost.memory_kib ||
         parsed->cost.passes != cost.passes || parsed->cost.lanes != cost.lanes;
}

Sha256Digest pbkdf2_sha256(Bytes password, Bytes salt, std::uint32_t iterations) {
  return pbkdf2<Sha256Digest>(EVP_sha256(), password, salt, iterations);
}

Sha1Digest pbkdf2_sha1(Bytes password, Bytes salt, std::uint32_t iterations) {
  return pbkdf2<Sha1Digest>(EVP_sha1(), password, salt, iterations);
}

}  // namespace facteur::crypto
