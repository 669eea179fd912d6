// A number that counts what is done with it: a neuron's step, run on it, says what a step costs.
//   const Operations cost = count([&] { Leaky::step(state, x, constants, rule); });
// A step is written for any value type, so this needs no word of the neuron's. The value is computed too.
#pragma once

#include <cmath>

namespace rheo::app::tutorial {

struct Operations {
  int additions = 0;  // and subtractions
  int multiplications = 0;
  int divisions = 0;
  int exponentials = 0;
  int comparisons = 0;  // each with the choice that follows from it

  [[nodiscard]] int total() const {
    return additions + multiplications + divisions + exponentials + comparisons;
  }
  friend bool operator==(const Operations&, const Operations&) = default;
};

class Counted {
 public:
  Counted(double value = 0) : value_(value) {}
  [[nodiscard]] double value() const { return value_; }

  static Operations& tally() {
    static thread_local Operations operations;
    return operations;
  }

  friend Counted operator+(Counted a, Counted b) {
    return one(tally().additions, a.value_ + b.value_);
  }
  friend Counted operator-(Counted a, Counted b) {
    return one(tally().additions, a.value_ - b.value_);
  }
  friend Counted operator*(Counted a, Counted b) {
    return one(tally().multiplications, a.value_ * b.value_);
  }
  friend Counted operator/(Counted a, Counted b) {
    return one(tally().divisions, a.value_ / b.value_);
  }
  friend Counted operator-(Counted a) { return -a.value_; }  // a sign costs nothing
  friend bool operator>(Counted a, Counted b) {
    return one(tally().comparisons, a.value_ > b.value_);
  }
  friend bool operator<(Counted a, Counted b) { return b > a; }

  // What a step may ask of its values (rheo/core), found by their argument.
  friend Counted select(bool which, Counted a, Counted b) { return which ? a : b; }
  friend Counted fill(Counted, double value) { return value; }
  friend Counted exp(Counted a) { return one(tally().exponentials, std::exp(a.value_)); }
  friend Counted logistic(Counted a) { return 1 / (1 + exp(-a)); }
  /// (exp(a) - 1) / a, which is 1 at 0.
  friend Counted exprel(Counted a) {
    const Counted quotient = (exp(a) - 1) / a;
    return a.value_ == 0 ? Counted(1) : quotient;
  }
  template <class Surrogate>
  friend Counted spike(const Surrogate&, Counted mem, Counted threshold) {
    return mem > threshold ? 1 : 0;
  }

 private:
  template <class Result>
  static Result one(int& more, Result result) {
    ++more;
    return result;
  }

  double value_;
};

/// What `work` does with Counted numbers.
template <class Work>
Operations count(Work work) {
  const Operations before = Counted::tally();
  Counted::tally() = {};
  work();
  const Operations done = Counted::tally();
  Counted::tally() = before;
  return done;
}

}  // namespace rheo::app::tutorial
