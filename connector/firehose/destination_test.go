package firehose

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// Each destination of the service's model has metrics.
func TestEveryDestinationHasMetrics(t *testing.T) {
	t.Parallel()
	of := reflect.TypeFor[types.DestinationDescription]()
	found := 0
	for i := range of.NumField() {
		if of.Field(i).Type.Kind() != reflect.Pointer || of.Field(i).Type.Elem().Kind() != reflect.Struct {
			continue
		}
		var d types.DestinationDescription
		reflect.ValueOf(&d).Elem().Field(i).Set(reflect.New(of.Field(i).Type.Elem()))
		if found++; len(deliveries[DestinationKind(d)]) == 0 {
			t.Errorf("%s has no metrics", of.Field(i).Name)
		}
	}
	if all := AllDeliveries(); found < 10 || len(all) != 9 {
		t.Errorf("%d destinations, metrics %q", found, all)
	}
}
