#include "reception/reception.hpp"

#include <mutex>
#include <utility>

#include "reception/arrival.hpp"

namespace facteur::reception {
namespace {

class StoreReception : public Reception {
 public:
  StoreReception(Surroundings surroundings, Parameters parameters)
      : with_(surroundings), parameters_(std::make_shared<const Parameters>(std::move(parameters))) {}

  std::unique_ptr<Arrival> arrive(const Client& client, observe::Scope scope) override {
    std::shared_ptr<LargeHeaders> large_headers(large_headers_, &large_headers_->at(std::to_underlying(client.role)));
    return std::make_unique<StoreArrival>(with_, parameters(), std::move(large_headers), client, std::move(scope));
  }

  void reload(Parameters parameters) override {
    auto next = std::make_shared<const Parameters>(std::move(parameters));
    const std::lock_guard guard(mutex_);
    parameters_.swap(next);
  }

 private:
  std::shared_ptr<const Parameters> parameters() const {
    const std::lock_guard guard(mutex_);
    return parameters_;
  }

  Surroundings with_;
  std::shared_ptr<LargeHeadersByRole> large_headers_ = std::make_shared<LargeHeadersByRole>();
  mutable std::mutex mutex_;
  std::shared_ptr<const Parameters> parameters_;
};

}  // namespace

std::unique_ptr<Reception> make_reception(Surroundings surroundings, Parameters parameters) {
  return std::make_unique<StoreReception>(surroundings, std::move(parameters));
}

}  // namespace facteur::reception
