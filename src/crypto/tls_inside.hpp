// What contexts and engines share inside crypto/. Included by .cpp files of crypto/ only.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/openssl.hpp"
#include "crypto/tls.hpp"

namespace facteur::crypto {

struct TlsServerContext::Inside {
  std::vector<SslContextPointer> contexts;                   // One per set of names; the first is the default one.
  std::unordered_map<std::string, SSL_CTX*> by_name;         // "mx.example.org" and "*.example.org".
  SSL_CTX* named(const std::string& lower_case_name) const;  // Null: there is none.
};

struct TlsClientContext::Inside {
  SslContextPointer context;
  bool verify = true;
};

// One connection, found from an SSL by its application pointer.
struct TlsEngine::Inside {
  std::shared_ptr<const TlsServerContext> server;
  std::shared_ptr<const TlsClientContext> client;
  std::vector<std::string> alpn;
  std::string sni;
  bool dane = false;
  // Borrowed during one call.
  Bytes input;
  Room output;
  std::size_t produced = 0;
  SslPointer ssl;  // Last: it goes first, and its BIO refers to this object.

  static Inside& of(const SSL* ssl) { return *static_cast<Inside*>(SSL_get_app_data(ssl)); }
  Result<void> attach(SSL_CTX* context);
  Result<Step> step(int result, Bytes given, std::size_t plain);
  Failure why(int error) const;
};

}  // namespace facteur::crypto
