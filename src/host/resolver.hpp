// DNS by libunbound behind dns::Resolver: one context with a thread of its own, asked from any shard.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dns/resolver.hpp"
#include "host/loop.hpp"

struct ub_ctx;
struct ub_result;

namespace facteur::host {

struct ResolverOptions {
  // Where answers come from that `zone` does not have.
  enum class Rest : std::uint8_t {
    system,     // The servers of /etc/resolv.conf; recursion if there are none.
    recurse,    // The root servers.
    forward,    // `forwarders` only.
    not_exist,  // Nowhere: they do not exist. No packet leaves the process.
    refuse,     // Nowhere: a temporary failure. No packet leaves the process.
  };
  Rest rest = Rest::system;
  std::vector<Endpoint> forwarders;
  // Records in master file form (RFC 1035 §5.1), one a line, names complete: "example.org. 300 IN MX 10
  // mx.example.org." Comments begin with ';' or '#'. These names are answered from here.
  std::string zone;
  // These names and all below them are asked of these authoritative servers, whatever `rest` says.
  struct Stub {
    std::string zone;
    std::vector<Endpoint> servers;
  };
  std::vector<Stub> stubs;
  // Trust anchors for DNSSEC, DS or DNSKEY records in master file form (RFC 4035 §4.4); empty: nothing is validated, no
  // answer is secure. Read by open().
  std::string trust_anchor_file;
};

class Resolver final : public dns::Resolver {
 public:
  // Answers arrive through `home`, before or while it runs. Fails (permanent) for a zone line or a trust
  // anchor that cannot be read.
  static Result<std::unique_ptr<Resolver>> open(Loop& home, const ResolverOptions& options);
  ~Resolver() override;  // No question may be waiting.

  Task<Result<dns::MxAnswer>> mx(std::string domain, Instant deadline) override;
  Task<Result<dns::AddressAnswer>> addresses(std::string host, Instant deadline) override;
  Task<Result<dns::TextAnswer>> text(std::string name, Instant deadline) override;
  Task<Result<dns::NameAnswer>> pointers(IpAddress address, Instant deadline) override;
  Task<Result<dns::TlsaAnswer>> tlsa(std::string name, Instant deadline) override;

 private:
  // The records of one type at one name, as octets (RFC 1035 §3.3, names uncompressed).
  struct Records : dns::AnswerState {
    std::vector<std::string> octets;
    int rcode = 0;
    std::string bogus;  // Why DNSSEC refuses it; empty: it does not.
  };
  struct Question {  // Shared by who asks and who answers.
    Loop* home;
    Wait* wait = nullptr;  // Both on the shard that asks.
    std::optional<Records> answer;
    Resolver* resolver;
    std::string key;                                       // In the cache.
    std::list<std::shared_ptr<Question>>::iterator place;  // In pending_.
  };
  struct Cached {
    Records records;
    Instant until;
  };
  using Cache = std::unordered_map<std::string, Cached>;

  explicit Resolver(Loop& home, ub_ctx* context, int fd);
  Task<void> pump();
  static void answered(void* question, int error, ub_result* result);
  std::shared_ptr<Question> begin(const std::string& name, int type, Failure& why);
  Task<Result<Records>> ask(std::string name, int type, Instant deadline);
  Task<Result<Records>> look_up(std::string name, int type, Instant deadline);
  std::optional<Records> remembered(const std::string& key);
  void remember(const std::string& key, const Records& records);
  static Records what_is_left(const Cached& cached, Instant now);

  ub_ctx* context_;
  bool own_zone_ = false;
  Descriptor descriptor_;
  std::mutex mutex_;  // Guards the rest.
  std::list<std::shared_ptr<Question>> pending_;
  Cache young_, old_;  // Two generations: when the young one is full it becomes the old one.
  TaskGroup tasks_;    // Last: it goes first.
};

}  // namespace facteur::host
