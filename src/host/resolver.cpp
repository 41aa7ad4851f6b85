#include "host/resolver.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

#include <algorithm>

#include "base/ascii.hpp"
#include "dns/rdata.hpp"

namespace facteur::host {

namespace {

// RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 6698 §7.1.
enum Type : int { a = 1, cname = 5, ptr = 12, mx_type = 15, txt = 16, aaaa = 28, tlsa_type = 52 };
constexpr int internet = 1;
constexpr std::size_t most_pending = 10'000;
constexpr std::size_t most_young = 10'000;
constexpr std::uint32_t longest_ttl_s = 24 * 60 * 60;
constexpr int most_aliases = 8;

std::string canonical(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return ascii::lower(name);
}

std::string key_of(std::string_view name, int type) { return std::to_string(type) + " " + std::string(name); }

std::unexpected<Failure> cannot_start(std::string_view code, int error) {
  return failure(Failure::Kind::permanent, code, "DNS cannot be used", ub_strerror(error));
}

std::string at_port(const Endpoint& server) { return to_string(server.address) + "@" + std::to_string(server.port); }

// What unbound is to do, in the form of its configuration file. The zones are in it because those that are added one by
// one afterwards hide the zones above them from some names, which then are asked of the root servers.
std::string settings(const ResolverOptions& options) {
  using Rest = ResolverOptions::Rest;
  std::string text = "server:\n do-not-query-localhost: no\n local-zone: invalid. static\n";  // RFC 6761 §6.4.
  std::string servers;
  const bool asks_others = options.rest == Rest::system || options.rest == Rest::forward;
  // Who is asked decides about names of the house and for tests; unbound itself would say that nothing is there.
  if (asks_others) text += " unblock-lan-zones: yes\n local-zone: test. nodefault\n";
  // A zone for the root takes every name that no narrower zone has.
  if (options.rest == Rest::not_exist) text += " local-zone: . static\n";
  if (options.rest == Rest::refuse) text += " local-zone: . refuse\n local-zone: test. refuse\n";
  if (options.rest == Rest::forward) {
    servers += "forward-zone:\n name: .\n";
    for (const auto& forwarder : options.forwarders) servers += " forward-addr: " + at_port(forwarder) + "\n";
  }
  if (!asks_others && options.rest != Rest::recurse) servers += "forward-zone:\n name: .\n forward-addr: 127.0.0.1@1\n";
  for (const auto& stub : options.stubs) {
    text += " local-zone: " + stub.zone + " transparent\n";
    servers += "stub-zone:\n name: " + stub.zone + "\n";
    for (const auto& server : stub.servers) servers += " stub-addr: " + at_port(server) + "\n";
  }
  return text + servers;
}

// unbound reads settings from files only.
int configure(ub_ctx* context, const std::string& text) {
  const int file = ::memfd_create("unbound.conf", MFD_CLOEXEC);
  if (file < 0) return UB_NOMEM;
  int error = UB_NOMEM;
  if (::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    error = ub_ctx_config(context, ("/proc/self/fd/" + std::to_string(file)).c_str());
  }
  ::close(file);
  return error;
}

int set_up(ub_ctx* context, const ResolverOptions& options) {
  static_cast<void>(ub_ctx_debugout(context, nullptr));  // What fails is in our log already.
  int error = configure(context, settings(options));
  if (options.rest == ResolverOptions::Rest::system) static_cast<void>(ub_ctx_resolvconf(context, nullptr));
  if (error == 0 && !options.trust_anchor_file.empty()) {
    error = ub_ctx_add_ta_file(context, options.trust_anchor_file.c_str());
  }
  if (error == 0) error = ub_ctx_async(context, 1);
  // Removing a zone, here one that is not there, makes unbound read its files now, while the process may still do so.
  if (error == 0) error = ub_ctx_zone_remove(context, "none.invalid.");
  return error;
}

// The first line that cannot be read, or nothing.
std::optional<std::string> add_zone(ub_ctx* context, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string line(ascii::trimmed(text.substr(0, end)));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty() || line[0] == ';' || line[0] == '#' || line[0] == '\r') continue;
    if (ub_ctx_data_add(context, line.c_str()) != 0) return line;
  }
  return std::nullopt;
}

}  // namespace

Resolver::Resolver(Loop& home, ub_ctx* context, int fd) : context_(context), descriptor_(home, fd) {
  tasks_.start(pump());
}

Resolver::~Resolver() { ub_ctx_delete(context_); }

Result<std::unique_ptr<Resolver>> Resolver::open(Loop& home, const ResolverOptions& options) {
  ub_ctx* const context = ub_ctx_create();
  if (!context) return cannot_start("F-1110", UB_NOMEM);
  if (const int error = set_up(context, options); error != 0) {
    ub_ctx_delete(context);
    return cannot_start("F-1111", error);
  }
  if (const auto bad = add_zone(context, options.zone)) {
    ub_ctx_delete(context);
    return failure(Failure::Kind::permanent, "F-1112", "This record of the zone cannot be read: " + *bad);
  }
  // A second number for unbound's descriptor: it closes its own, Descriptor closes this one.
  const int fd = ::fcntl(ub_fd(context), F_DUPFD_CLOEXEC, 3);
  std::unique_ptr<Resolver> made(new Resolver(home, context, fd));
  made->own_zone_ = !options.zone.empty();
  return made;
}

// Takes answers from unbound's thread, on the home shard.
Task<void> Resolver::pump() {
  for (;;) {
    Wait wait(descriptor_.loop(), Instant::never(), nullptr, &descriptor_.reader);
    const auto outcome = co_await wait;
    if (outcome == Wait::Outcome::closed) co_return;
    ub_process(context_);
  }
}

// Called inside ub_process.
void Resolver::answered(void* argument, int error, ub_result* result) {
  auto* asked = static_cast<Question*>(argument);
  Resolver& self = *asked->resolver;
  std::shared_ptr<Question> question;
  {
    const std::lock_guard lock(self.mutex_);
    question = *asked->place;
    self.pending_.erase(asked->place);
  }
  Records records;
  records.rcode = error != 0 ? 2 : result->rcode;
  if (error == 0) {
    records.ttl_s = result->ttl > 0 ? std::min(static_cast<std::uint32_t>(result->ttl), longest_ttl_s) : 0;
    records.secure = result->secure != 0;
    records.name_exists = result->nxdomain == 0;
    if (result->bogus) records.bogus = result->why_bogus ? result->why_bogus : "bogus";
    for (int i = 0; result->data && result->data[i]; ++i) {
      records.octets.emplace_back(result->data[i], static_cast<std::size_t>(result->len[i]));
    }
    ub_resolve_free(result);
  }
  if (error == 0 && records.bogus.empty() && (records.rcode == 0 || records.rcode == 3)) {
    self.remember(question->key, records);
  }
  Loop* const home = question->home;
  home->post([question = std::move(question), records = std::move(records)]() mutable {
    question->answer = std::move(records);
    if (question->wait) question->wait->finish(Wait::Outcome::ready);
  });
}

// Hands a question to unbound. Null, and why, if it cannot.
std::shared_ptr<Resolver::Question> Resolver::begin(const std::string& name, int type, Failure& why) {
  auto question = std::make_shared<Question>();
  question->home = &Loop::here();
  question->resolver = this;
  question->key = key_of(name, type);
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() >= most_pending) {
      why = {Failure::Kind::temporary, "F-1113", "Too many questions to DNS", {}};
      return nullptr;
    }
    question->place = pending_.insert(pending_.end(), question);
  }
  const int error = ub_resolve_async(context_, name.c_str(), type, internet, question.get(), &answered, nullptr);
  if (error == 0) return question;
  why = {Failure::Kind::temporary, "F-1114", "DNS lookup failed", name + ": " + ub_strerror(error)};
  const std::lock_guard lock(mutex_);
  pending_.erase(question->place);
  return nullptr;
}

Task<Result<Resolver::Records>> Resolver::ask(std::string name, int type, Instant deadline) {
  if (auto known = remembered(key_of(name, type))) co_return std::move(*known);
  Failure why;
  const auto question = begin(name, type, why);
  if (!question) co_return std::unexpected(std::move(why));
  if (!question->answer) {
    Wait wait(Loop::here(), deadline, nullptr, &question->wait, Wait::Precision::exact);
    const auto outcome = co_await wait;
    if (outcome == Wait::Outcome::timed_out) {
      co_return failure(Failure::Kind::timed_out, "F-1115", "DNS does not answer", name);
    }
  }
  Records& records = *question->answer;
  // RELIABILITY R8: only a positive statement that there is nothing is an answer; all else may change.
  if (!records.bogus.empty()) {
    co_return failure(Failure::Kind::temporary, "F-1116", "DNSSEC refuses the answer", name + ": " + records.bogus);
  }
  if (records.rcode != 0 && records.rcode != 3) {
    const std::string rcode = std::to_string(records.rcode);
    co_return failure(Failure::Kind::temporary, "F-1117", "DNS lookup failed", name + ": RCODE " + rcode);
  }
  co_return std::move(records);
}

// As ask(), with aliases of our own zone followed (unbound follows those of all others).
Task<Result<Resolver::Records>> Resolver::look_up(std::string name, int type, Instant deadline) {
  name = canonical(name);
  for (int links = 0;; ++links) {
    auto records = co_await ask(name, type, deadline);
    if (!records || !records->octets.empty() || !records->name_exists || !own_zone_) co_return records;
    auto alias = co_await ask(name, Type::cname, deadline);
    if (!alias || alias->octets.empty()) co_return records;
    auto target = dns::read_name(alias->octets.front());
    if (!target || links == most_aliases) {
      co_return failure(Failure::Kind::temporary, "F-1118", "DNS lookup failed", "aliases without end at " + name);
    }
    name = std::move(*target);
  }
}

std::optional<Resolver::Records> Resolver::remembered(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const Instant now = Loop::now();
  if (const auto found = young_.find(key); found != young_.end()) {
    if (found->second.until > now) return what_is_left(found->second, now);
    return std::nullopt;
  }
  const auto found = old_.find(key);
  if (found == old_.end() || found->second.until <= now) return std::nullopt;
  auto node = old_.extract(found);
  return what_is_left(young_.insert(std::move(node)).position->second, now);
}

// RFC 1035 §3.2.1: the TTL says how long an answer may be kept, so it shrinks while we keep it.
Resolver::Records Resolver::what_is_left(const Cached& cached, Instant now) {
  Records records = cached.records;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(cached.until - now);
  records.ttl_s = static_cast<std::uint32_t>(left.count());
  return records;
}

void Resolver::remember(const std::string& key, const Records& records) {
  if (records.ttl_s == 0) return;
  const std::lock_guard lock(mutex_);
  if (young_.size() >= most_young) old_ = std::exchange(young_, {});
  young_.insert_or_assign(key, Cached{records, Loop::now() + std::chrono::seconds(records.ttl_s)});
}

Task<Result<dns::MxAnswer>> Resolver::mx(std::string domain, Instant deadline) {
  auto found = co_await look_up(domain, Type::mx_type, deadline);
  if (!found) co_return failed(found);
  dns::MxAnswer answer{*found, {}};
  for (const auto& octets : found->octets) {
    if (auto mx = dns::read_mx(octets)) answer.records.push_back(std::move(*mx));
  }
  // RFC 5321 §5.1: exchangers that are there but of no use are an error, never a reason to go to the domain itself.
  if (answer.records.empty() && !found->octets.empty()) {
    co_return failure(Failure::Kind::temporary, "F-1119", "No MX record of the domain can be read", domain);
  }
  co_return answer;
}

Task<Result<dns::AddressAnswer>> Resolver::addresses(std::string host, Instant deadline) {
  // Both questions are on their way before the first answer is awaited.
  Failure ignored;
  const std::string name = canonical(host);
  if (!remembered(key_of(name, Type::a))) static_cast<void>(begin(name, Type::a, ignored));
  auto six = co_await look_up(name, Type::aaaa, deadline);
  auto four = co_await look_up(name, Type::a, deadline);
  dns::AddressAnswer answer;
  answer.name_exists = false;
  answer.secure = true;
  answer.ttl_s = longest_ttl_s;
  for (const auto* found : {&six, &four}) {
    if (!*found) continue;
    answer.name_exists |= (*found)->name_exists;
    answer.secure &= (*found)->secure;
    answer.ttl_s = std::min(answer.ttl_s, (*found)->ttl_s);
    for (const auto& octets : (*found)->octets) {
      if (const auto address = dns::read_address(octets)) answer.addresses.push_back(*address);
    }
  }
  // What one question found is worth more than that the other one failed; "nothing" must be said by both.
  if (answer.addresses.empty() && !four) co_return failed(four);
  if (answer.addresses.empty() && !six) co_return failed(six);
  answer.secure = answer.secure && six && four;
  co_return answer;
}

Task<Result<dns::TextAnswer>> Resolver::text(std::string name, Instant deadline) {
  auto found = co_await look_up(std::move(name), Type::txt, deadline);
  if (!found) co_return failed(found);
  dns::TextAnswer answer{*found, {}};
  for (const auto& octets : found->octets) answer.texts.push_back(dns::read_text(octets));
  co_return answer;
}

Task<Result<dns::NameAnswer>> Resolver::pointers(IpAddress address, Instant deadline) {
  auto found = co_await look_up(dns::reverse_name(address), Type::ptr, deadline);
  if (!found) co_return failed(found);
  dns::NameAnswer answer{*found, {}};
  for (const auto& octets : found->octets) {
    if (auto name = dns::read_name(octets)) answer.names.push_back(std::move(*name));
  }
  co_return answer;
}

Task<Result<dns::TlsaAnswer>> Resolver::tlsa(std::string name, Instant deadline) {
  auto found = co_await look_up(std::move(name), Type::tlsa_type, deadline);
  if (!found) co_return failed(found);
  dns::TlsaAnswer answer{*found, {}};
  for (const auto& octets : found->octets) {
    if (auto record = dns::read_tlsa(octets)) answer.records.push_back(std::move(*record));
  }
  co_return answer;
}

}  // namespace facteur::host
