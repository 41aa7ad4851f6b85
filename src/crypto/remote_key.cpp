// OpenSSL 3.0 still offers these methods for keys that are not in memory (its providers would need the whole of TLS's
// signature algorithms again); the library marks them as old, hence the definition below.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/remote_key.hpp"

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <cstring>

namespace facteur::crypto {

namespace {

// What stands behind one key.
struct Remote {
  KeyId id;
  std::shared_ptr<PrivateKeys> keys;
};

void forget(void*, void* remote, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Remote*>(remote); }

int rsa_slot() {
  static const int slot = RSA_get_ex_new_index(0, nullptr, nullptr, nullptr, &forget);
  return slot;
}
int ec_slot() {
  static const int slot = EC_KEY_get_ex_new_index(0, nullptr, nullptr, nullptr, &forget);
  return slot;
}

std::string use(const void* remote, KeyOperation operation, const unsigned char* input, int size) {
  const auto* behind = static_cast<const Remote*>(remote);
  if (!behind || size < 0) return {};
  const Bytes octets(reinterpret_cast<const char*>(input), static_cast<std::size_t>(size));
  auto done = behind->keys->use(behind->id, operation, octets);
  return done ? std::move(*done) : std::string();
}

int private_encrypt(int size, const unsigned char* input, unsigned char* output, RSA* rsa, int padding) {
  if (padding != RSA_PKCS1_PADDING && padding != RSA_NO_PADDING) return -1;
  const auto operation = padding == RSA_PKCS1_PADDING ? KeyOperation::rsa_pkcs1 : KeyOperation::rsa_padded;
  const std::string done = use(RSA_get_ex_data(rsa, rsa_slot()), operation, input, size);
  if (done.size() != static_cast<std::size_t>(RSA_size(rsa))) return -1;
  std::memcpy(output, done.data(), done.size());
  return static_cast<int>(done.size());
}

// Decrypting is for RSA key exchange, which no cipher of ours has (RFC 9325 §4.2).
int private_decrypt(int, const unsigned char*, unsigned char*, RSA*, int) { return -1; }

int ec_sign(int, const unsigned char* digest, int size, unsigned char* signature, unsigned* length, const BIGNUM*,
            const BIGNUM*, EC_KEY* key) {
  const std::string done = use(EC_KEY_get_ex_data(key, ec_slot()), KeyOperation::ecdsa, digest, size);
  if (done.empty() || done.size() > static_cast<std::size_t>(ECDSA_size(key))) return 0;
  std::memcpy(signature, done.data(), done.size());
  *length = static_cast<unsigned>(done.size());
  return 1;
}

const RSA_METHOD* rsa_method() {
  static RSA_METHOD* const method = [] {
    RSA_METHOD* made = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    RSA_meth_set1_name(made, "held elsewhere");
    RSA_meth_set_priv_enc(made, &private_encrypt);
    RSA_meth_set_priv_dec(made, &private_decrypt);
    return made;
  }();
  return method;
}

const EC_KEY_METHOD* ec_method() {
  static EC_KEY_METHOD* const method = [] {
    EC_KEY_METHOD* made = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    EC_KEY_METHOD_set_sign(made, &ec_sign, nullptr, nullptr);
    return made;
  }();
  return method;
}

}  // namespace

KeyPointer remote_key(X509* certificate, std::shared_ptr<PrivateKeys> keys) {
  EVP_PKEY* const open = X509_get0_pubkey(certificate);
  const auto id = open ? key_id_of(open) : Result<KeyId>(std::unexpect);
  KeyPointer made(EVP_PKEY_new());
  if (!id || !made) return nullptr;
  auto remote = std::make_unique<Remote>(Remote{*id, std::move(keys)});
  if (const RSA* shared = EVP_PKEY_get0_RSA(open)) {
    RSA* const rsa = RSAPublicKey_dup(shared);
    const bool set =
        rsa && RSA_set_method(rsa, rsa_method()) == 1 && RSA_set_ex_data(rsa, rsa_slot(), remote.get()) == 1;
    if (set) static_cast<void>(remote.release());
    if (!set || EVP_PKEY_assign_RSA(made.get(), rsa) != 1) return RSA_free(rsa), nullptr;
    return made;
  }
  ERR_clear_error();
  if (const EC_KEY* shared = EVP_PKEY_get0_EC_KEY(open)) {
    EC_KEY* const own = EC_KEY_dup(shared);
    const bool set =
        own && EC_KEY_set_method(own, ec_method()) == 1 && EC_KEY_set_ex_data(own, ec_slot(), remote.get()) == 1;
    if (set) static_cast<void>(remote.release());
    if (!set || EVP_PKEY_assign_EC_KEY(made.get(), own) != 1) return EC_KEY_free(own), nullptr;
    return made;
  }
  ERR_clear_error();
  return nullptr;
}

}  // namespace facteur::crypto
