// TLS 1.2 and 1.3 without sockets: contexts (certificates, trust) and TlsEngine, one connection over borrowed memory.
//
// OpenSSL stands behind it and shows nowhere. tls/stream.hpp moves the octets between an engine and a world::Stream.
// Contexts never change after they are made and may be used from any thread; connections keep theirs by shared_ptr,
// so a reload publishes a new context and old connections end with the old one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace facteur::crypto {

class PrivateKeys;  // crypto/private_keys.hpp

// PEM texts: the chain with the server's own certificate first, and its private key (not encrypted).
struct TlsCertificate {
  std::string chain_pem;
  std::string key_pem;
};

// What of a chain people want to see: for warnings about expiry and for `facteur config check`.
struct CertificateSummary {
  std::string subject;                 // "CN = mx.example.org", escaped by OpenSSL's rules (RFC 2253).
  std::vector<std::string> dns_names;  // Of the subject alternative names, lower case, "*.example.org" included.
  UtcTime not_before;
  UtcTime not_after;
  std::string sha256;  // Fingerprint of the certificate: 32 octets.
};
Result<CertificateSummary> summarize_certificate(std::string_view chain_pem);

// A new P-256 key and a certificate for these names (the first is the common name), signed by itself, valid from an
// hour before `now` on for `days`. The key comes from OpenSSL's random source. DECISIONS.md 30.
Result<TlsCertificate> make_self_signed(const std::vector<std::string>& names, UtcTime now, unsigned days = 3650);

class TlsServerContext {
 public:
  struct Options {
    // The first is the default one; others are chosen by the name the client asks for (SNI). Two with the same names
    // and different key types (ECDSA, RSA) may both stand here: the client's abilities choose.
    std::vector<TlsCertificate> certificates;
    // Holds the keys of the certificates whose key_pem is empty; asked in each handshake, by the thread of that one.
    std::shared_ptr<PrivateKeys> keys{};
  };

  // Fails (permanent) with the position of the certificate that cannot be used, and why.
  static Result<std::shared_ptr<const TlsServerContext>> make(const Options& options);
  ~TlsServerContext();

  struct Inside;  // OpenSSL's objects; known in tls.cpp only.
  explicit TlsServerContext(std::unique_ptr<Inside> inside);
  const Inside& inside() const { return *inside_; }

 private:
  std::unique_ptr<Inside> inside_;
};

class TlsClientContext {
 public:
  struct Options {
    std::string ca_pem;  // Trust anchors, one behind the other. May be empty: nothing verifies then.
    // True: a peer whose chain or name does not verify is refused. False (opportunistic, RFC 7435): it is taken, and
    // TlsSummary says whether it would have verified.
    bool verify = true;
  };

  static Result<std::shared_ptr<const TlsClientContext>> make(const Options& options);
  ~TlsClientContext();

  struct Inside;
  explicit TlsClientContext(std::unique_ptr<Inside> inside);
  const Inside& inside() const { return *inside_; }

 private:
  std::unique_ptr<Inside> inside_;
};

// What was agreed in a handshake.
struct TlsSummary {
  std::string version;   // "TLSv1.3"
  std::string cipher;    // "TLS_AES_256_GCM_SHA384", the names of RFC 8446 and RFC 5246.
  std::string sni;       // The name the client asked for, lower case; empty: none.
  std::string alpn;      // Empty: none agreed.
  bool resumed = false;  // By a session ticket.
  bool peer_verified =
      false;                 // The peer's chain leads to a trust anchor and names the host asked for, or DANE matched.
  std::string peer_error;    // Why it did not verify, for logs; empty otherwise.
  std::string peer_subject;  // Of the peer's certificate; empty: it showed none.
  std::string exporter;      // RFC 9266 tls-exporter: 32 octets for channel binding (SCRAM-PLUS). Empty: not safe here.
};

// RFC 6698 §2.1, for DANE (RFC 7672). `data` in octets.
struct TlsaRecord {
  std::uint8_t usage = 0, selector = 0, matching = 0;
  std::string data;
};

struct TlsClientParameters {
  std::string host;               // Sent as SNI and checked against the certificate. May be empty, or an IP address.
  std::vector<std::string> alpn;  // Offered, in order of preference; empty: none.
  std::vector<TlsaRecord> tlsa;   // Not empty: DANE decides alone whether the peer verifies, and it must.
};

// One connection. Octets of the network go in and out by the arguments; the engine holds none of them, except the part
// of one record that OpenSSL itself needs. Not thread-safe. Every call says what must happen next.
class TlsEngine {
 public:
  // `alpn`: protocols this service speaks. If a client offers protocols and none is here, the handshake fails with the
  // alert no_application_protocol (RFC 7301 §3.2; against cross-protocol attacks). Empty: ALPN is ignored.
  static Result<std::unique_ptr<TlsEngine>> server(std::shared_ptr<const TlsServerContext> context,
                                                   std::vector<std::string> alpn);
  static Result<std::unique_ptr<TlsEngine>> client(std::shared_ptr<const TlsClientContext> context,
                                                   const TlsClientParameters& parameters);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  struct Step {
    enum class Next : std::uint8_t {
      done,        // It happened (handshake complete; `plain` octets read or written).
      want_input,  // Call again with octets from the peer.
      want_room,   // Send the `produced` octets, then call again.
      ended,       // read/peek: the peer has said close_notify: there is no more to come.
    };
    Next next = Next::done;
    std::size_t consumed = 0;  // Of `input`: do not show these again; the rest must come first next time.
    std::size_t produced = 0;  // Octets in `output` that must go to the peer, whatever `next` is.
    std::size_t plain = 0;     // Octets of plaintext read or written.
  };
  // A failed call (Failure::Kind::closed for a fatal alert or garbage from the peer, permanent for a certificate that
  // does not verify) may still have produced an alert: failed_output() says how many octets of `output` to send.

  Result<Step> handshake(Bytes input, Room output);
  Result<Step> read(Bytes input, Room plain, Room output);
  // Whether read() would give something, without taking it: done means yes.
  Result<Step> peek(Bytes input, Room output);
  // Encrypts some of `plain`. On want_room, the same octets (at any address) must be given first again.
  Result<Step> write(Bytes plain, Room output);
  Result<Step> close_notify(Room output);
  std::size_t failed_output() const;

  // Decrypted octets that read() gives without input.
  std::size_t pending() const;

  // After the handshake.
  TlsSummary summary() const;

  // The room that always suffices for one record.
  static constexpr std::size_t record_room = 16 * 1024 + 512;

  struct Inside;  // OpenSSL's object; known in crypto/ only.

 private:
  explicit TlsEngine(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace facteur::crypto
