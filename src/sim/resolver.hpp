// DNS from a zone text, with every way it can go wrong.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dns/resolver.hpp"
#include "sim/clock.hpp"

namespace facteur::sim {

// The names of the simulated world; shared by all its machines. One record a line, '#' begins a comment:
//   example.org   MX 10 mx.example.org      example.org MX 0 .       (null MX)
//   mx.example.org A 192.0.2.1              mx.example.org AAAA 2001:db8::1
//   www.example.org CNAME mx.example.org    example.org TXT v=spf1 -all
//   192.0.2.1 PTR mx.example.org            _25._tcp.mx.example.org TLSA 3 1 1 0123abcd
//   broken.example SERVFAIL                 slow.example TIMEOUT       signed.example SECURE
// A name exists if it, or a name below it, has a line; all others are NXDOMAIN.
class Zone {
 public:
  explicit Zone(std::string_view text = {}) { add(text); }

  void add(std::string_view text);
  void replace(std::string_view text);  // From now on: changing answers.
  void erase(std::string_view name);

  enum class Weather : std::uint8_t { fair, servfail, timeout, mixed };  // mixed: by chance, per query.
  void weather(Weather weather) { weather_ = weather; }

 private:
  friend class Resolver;
  struct Line {
    std::string type;
    std::string value;
  };
  std::multimap<std::string, Line, std::less<>> lines_;
  Weather weather_ = Weather::fair;
};

class Resolver : public dns::Resolver {
 public:
  Resolver(Zone& zone, Clock& clock, std::uint64_t seed) : zone_(zone), clock_(clock), chance_(seed) {}

  std::uint64_t queries() const { return queries_; }

  Task<Result<dns::MxAnswer>> mx(std::string domain, Instant deadline) override;
  Task<Result<dns::AddressAnswer>> addresses(std::string host, Instant deadline) override;
  Task<Result<dns::TextAnswer>> text(std::string name, Instant deadline) override;
  Task<Result<dns::NameAnswer>> pointers(IpAddress address, Instant deadline) override;
  Task<Result<dns::TlsaAnswer>> tlsa(std::string name, Instant deadline) override;

 private:
  struct Found : dns::AnswerState {
    std::vector<std::string> values;
    std::vector<std::string> types;
  };
  // The records of these types at `name`, CNAMEs followed.
  Task<Result<Found>> look_up(std::string name, std::vector<std::string> types, Instant deadline);

  Zone& zone_;
  Clock& clock_;
  Random chance_;
  std::uint64_t queries_ = 0;
};

}  // namespace facteur::sim
