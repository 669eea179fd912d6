// Everything of Rheobase's library in one header.
#pragma once

#include "rheo/functional/lif.hpp"
#include "rheo/nn/neuron.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/product.hpp"
#include "rheo/ops/time_constant.hpp"
#include "rheo/spikegen/constant.hpp"
#include "rheo/spikegen/rate_conv.hpp"
