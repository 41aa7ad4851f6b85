#include <algorithm>
#include <set>

#include "base/ascii.hpp"
#include "routing/routing.hpp"

namespace facteur::routing {

namespace {

constexpr std::size_t most_destinations = 1000;  // Of one recipient.
constexpr std::size_t most_steps = 5000;         // Addresses looked at while an alias is expanded.

bool is_among(const std::vector<std::string>& domains, std::string_view domain) {
  return std::ranges::any_of(domains, [domain](const std::string& one) {
    return one.starts_with('.') ? domain.ends_with(one) : one == domain;
  });
}

// One expansion: what has been seen, what came out.
class Expansion {
 public:
  Expansion(const directory::Directory& directory, const Parameters& parameters)
      : directory_(directory), parameters_(parameters) {}

  Result<Resolution> run(message::Address recipient, bool may_relay) {
    recipient = with_domain(std::move(recipient));
    if (auto first = step(recipient, may_relay, true); !first) return failed(first);
    while (!open_.empty() && ++steps_ < most_steps) {
      auto address = std::move(open_.back());
      open_.pop_back();
      const auto before = out_.destinations.size();
      // What our own alias leads to is followed wherever it leads.
      if (auto next = step(address, true, false); !next) return failed(next);
      if (out_.why && out_.destinations.size() == before) out_.unresolved.push_back(address.text());
      out_.why.reset();
    }
    if (out_.destinations.empty() && !out_.why) {
      refuse(Failure::Kind::permanent, "F-7001", "5.4.6", "The address leads to nobody");
    }
    return std::move(out_);
  }

 private:
  // RFC 5321 §4.1.1.3: <Postmaster> without a domain is ours.
  message::Address with_domain(message::Address recipient) const {
    if (recipient.domain.empty()) {
      if (auto domain = message::Domain::parse(parameters_.hostname)) recipient.domain = *domain;
    }
    return recipient;
  }

  bool is_our_name(const message::Domain& domain) const {
    if (domain.text() == parameters_.hostname) return true;
    const auto ip = domain.ip();
    return ip && std::ranges::find(parameters_.our_addresses, *ip) != parameters_.our_addresses.end();
  }

  void refuse(Failure::Kind kind, std::string_view code, std::string enhanced, std::string text) {
    out_.why = Failure{kind, code, std::move(text), {}};
    out_.enhanced = std::move(enhanced);
  }

  void add(Destination destination) {
    if (out_.destinations.size() >= most_destinations) return;
    const auto same = [&destination](const Destination& other) {
      if (other.kind != destination.kind) return false;
      if (other.kind == Destination::Kind::account) {
        return other.account == destination.account && other.detail == destination.detail;
      }
      return other.address.key() == destination.address.key();
    };
    if (std::ranges::none_of(out_.destinations, same)) out_.destinations.push_back(std::move(destination));
  }

  // One address: an account, more addresses to look at, another server, or a refusal in out_.why.
  Result<void> step(const message::Address& address, bool may_relay, bool first) {
    if (!seen_.insert(address.key()).second) return {};  // A loop of aliases ends here.
    auto target = directory_.resolve(address.local, address.domain.text());
    if (!target) return failed(target);
    using Kind = directory::Target::Kind;
    if (target->kind == Kind::account) {
      add({Destination::Kind::account, address, target->account, std::move(target->detail), {}});
      return {};
    }
    if (target->kind == Kind::addresses) {
      out_.expanded = true;
      for (const auto& text : target->addresses) {
        if (auto next = message::Address::parse(text)) open_.push_back(std::move(*next));
      }
      return {};
    }
    const bool ours = target->kind == Kind::nobody || is_our_name(address.domain);
    if (ours && ascii::equal_ignoring_case(address.local, "postmaster") && to_postmaster(address)) return {};
    if (ours) {
      refuse(Failure::Kind::permanent, "F-7002", "5.1.1", "No such user here");
    } else if (may_relay || is_among(parameters_.relay_domains, address.domain.text())) {
      add({Destination::Kind::remote, address, {}, {}, next_hop(parameters_, address.domain.text())});
    } else if (first) {
      refuse(Failure::Kind::refused, "F-7003", "5.7.1", "Relaying denied");
    }
    return {};
  }

  // RFC 5321 §4.5.1: postmaster of each domain of ours must be served, whether the account exists or not.
  bool to_postmaster(const message::Address& address) {
    auto master = message::Address::parse(parameters_.postmaster);
    if (!master || master->key() == address.key()) return false;
    out_.expanded = true;
    open_.push_back(std::move(*master));
    return true;
  }

  const directory::Directory& directory_;
  const Parameters& parameters_;
  Resolution out_;
  std::vector<message::Address> open_;
  std::set<std::string> seen_;
  std::size_t steps_ = 0;
};

}  // namespace

std::string NextHop::key() const {
  if (kind == Kind::exchangers) return "mx:" + host;
  const auto* protocol = kind == Kind::smarthost ? "smarthost:" : lmtp ? "lmtp:" : "smtp:";
  return protocol + host + ':' + std::to_string(port);
}

NextHop next_hop(const Parameters& parameters, std::string_view domain) {
  const NextHop* below = nullptr;
  const NextHop* any = nullptr;
  for (const auto& route : parameters.routes) {
    for (const auto& name : route.domains) {
      if (name == domain) return route.hop;
      if (!below && name.starts_with('.') && domain.ends_with(name)) below = &route.hop;
      if (!any && name == "*") any = &route.hop;
    }
  }
  if (below) return *below;
  if (any) return *any;
  if (parameters.smarthost) return *parameters.smarthost;
  return NextHop{NextHop::Kind::exchangers, std::string(domain), 0, false};
}

Result<Resolution> resolve(const directory::Directory& directory, const Parameters& parameters,
                           const message::Address& recipient, bool may_relay) {
  return Expansion(directory, parameters).run(recipient, may_relay);
}

}  // namespace facteur::routing
